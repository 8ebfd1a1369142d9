import torch
from _memory import count_launches, highest_sum, peak_bytes, resident_bytes, saved_bytes
from torch import nn

MIB = 2**20


def make_floats(mib: int) -> torch.Tensor:
    return torch.empty(mib * MIB // 4)


def test_highest_sum() -> None:
    assert highest_sum([3, -1, 4, -6, 2]) == 6
    assert highest_sum([-5, 3]) == 0
    assert highest_sum([]) == 0


def test_the_peak_is_what_lives_at_once() -> None:
    before = make_floats(3)

    def run() -> None:
        first = make_floats(4)
        second = make_floats(8)
        del first
        third = make_floats(2)
        del second, third
        make_floats(11).add_(before[0])

    assert 12 * MIB <= peak_bytes(run) < 12 * MIB + 4096


def test_memory_is_counted_once_a_storage() -> None:
    weight = make_floats(1).view(512, 512)
    x = make_floats(1).view(512, 512).requires_grad_()

    def forward() -> torch.Tensor:
        y = x @ weight  # keeps the weight
        return y.exp() * y.view(-1).view(512, 512)  # keeps y (twice) and its exponential (twice)

    assert saved_bytes(forward) == 3 * MIB
    assert saved_bytes(forward, [x, weight]) == 2 * MIB


def test_a_freed_storage_is_not_taken_for_a_later_one() -> None:
    x = torch.ones(MIB // 4, requires_grad=True)
    assert saved_bytes(lambda: [(x * 2).exp() for _ in range(5)]) == 5 * MIB


def test_what_lies_between_two_steps() -> None:
    layer = nn.Linear(16, 16)
    layer.register_buffer('table', torch.zeros(100))
    weights = 4 * (16 * 16 + 16)
    assert resident_bytes(layer) == weights + 400
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 16)).sum().backward()
    optimizer.step()
    assert resident_bytes(layer, optimizer) == 3 * weights + 400 + 2 * 4  # and two step counts


def test_launches_are_told_from_other_events() -> None:
    names = [
        'cudaLaunchKernel',
        'aten::mm',
        'cudaLaunchKernelExC',
        'cuLaunchKernel',
        'cudaMemcpyAsync',
        'cudaGraphLaunch',
        'void gemm_kernel',
    ]
    assert count_launches(names) == 4
