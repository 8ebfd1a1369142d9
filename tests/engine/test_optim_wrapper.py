import pytest
import torch
from mmengine.optim import AmpOptimWrapper
from torch import nn

from mmmsf.engine import CpuAmpOptimWrapper
from mmmsf.registry import OPTIM_WRAPPERS


def test_forward_in_bfloat16_weights_in_float32() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    wrapper = CpuAmpOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    before = model.weight.detach().clone()
    with wrapper.optim_context(model):
        out = model(torch.randn(3, 4))
    assert out.dtype == torch.bfloat16
    assert not torch.is_autocast_enabled('cpu')
    wrapper.update_params(out.float().square().mean())
    assert model.weight.dtype == torch.float32
    assert not torch.equal(model.weight, before)


@pytest.mark.parametrize('gpu', [True, False])
def test_the_wrapper_follows_the_machine(gpu: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    monkeypatch.setattr(
        'mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available', lambda: gpu
    )
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    wrapper = OPTIM_WRAPPERS.build(dict(type='mmmsf.AmpOptimWrapper', optimizer=optimizer))
    assert type(wrapper) is (AmpOptimWrapper if gpu else CpuAmpOptimWrapper)
