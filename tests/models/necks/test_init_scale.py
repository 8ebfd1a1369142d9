"""The scale of the neck's first maps: exact, once, alike on all ranks, kept in the checkpoint."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from mmengine.runner.checkpoint import load_checkpoint
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from mmmsf.checkpoint.files import read_checkpoint
from mmmsf.models import MSFNeck
from mmmsf.models.layers import scale_conv
from tests.helpers import reference, small_run
from tests.helpers.checkpoint_state import assert_same
from tests.helpers.clean_process import start_process


def make_neck(**kwargs: Any) -> MSFNeck:
    torch.manual_seed(1)
    return MSFNeck([5, 7], 4, **{'init_scale': 0.3, **kwargs})


def make_maps(seed: int = 0, deviation: float = 7.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        2 + deviation * torch.randn(2, channels, side, side, generator=generator)
        for channels, side in ((5, 8), (7, 4))
    ]


def weights(neck: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in neck.parameters()])


def deviations(neck: MSFNeck, maps: list[Tensor]) -> Tensor:
    return torch.stack([x.std(correction=0) for x in reference.neck_maps(neck, *maps, fuse=False)])


def test_a_convolution_is_scaled_as_a_whole() -> None:
    torch.manual_seed(0)
    conv, x = nn.Conv2d(3, 4, 3), torch.randn(2, 3, 6, 5)
    before, old = conv(x).detach(), conv.weight.detach().clone()
    factor = scale_conv(conv, x, 0.5)
    assert factor == pytest.approx(0.5 / before.std(correction=0).item(), rel=1e-5)
    torch.testing.assert_close(conv.weight, factor * old)
    torch.testing.assert_close(conv(x), factor * before)


@pytest.mark.parametrize('value', [0.0, float('nan'), float('inf')])
def test_maps_without_a_deviation_scale_nothing(value: float) -> None:
    conv = nn.Conv2d(3, 4, 1, bias=False)
    before = conv.weight.detach().clone()
    assert scale_conv(conv, torch.full((1, 3, 2, 2), value), 0.5) == 1
    assert torch.equal(conv.weight, before)


def test_the_first_training_batch_has_the_deviation_and_no_other_scales() -> None:
    neck, maps = make_neck(), make_maps()
    drawn = weights(neck)
    neck.eval()(maps)
    assert torch.equal(weights(neck), drawn) and not neck.scaled
    outs = neck.train()(maps)
    torch.testing.assert_close(deviations(neck, maps), torch.full((3,), 0.3))
    assert neck.scaled
    for out, expected in zip(outs, reference.neck_maps(neck, *maps), strict=True):
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
    once = weights(neck)
    neck([10 * x for x in maps])
    assert torch.equal(weights(neck), once)


def test_gradients_are_those_of_the_scaled_convolutions() -> None:
    neck, maps = make_neck(), make_maps()
    sum(x.square().sum() for x in neck(maps)).backward()
    twin = make_neck(init_scale=None)
    twin.load_state_dict(neck.state_dict())
    sum(x.square().sum() for x in twin(maps)).backward()
    for (name, one), other in zip(neck.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=name)


def test_one_scale_and_a_single_map_backbone() -> None:
    neck = MSFNeck(7, 4, scales=('large', 'small'), init_scale=0.3)
    x = make_maps()[1]
    neck([x])
    for conv in neck.convs.values():
        assert conv(x).std(correction=0).item() == pytest.approx(0.3, rel=1e-5)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast(dtype: torch.dtype) -> None:
    neck, maps = make_neck(fuse=False), make_maps()
    with torch.autocast('cpu', dtype):
        outs = neck(maps)  # from the scaled weights, not from a cast that autocast has kept
        again = neck(maps)
    for one, other in zip(outs, again, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
        assert one.float().std(correction=0).item() == pytest.approx(0.3, rel=1e-2)
    torch.testing.assert_close(deviations(neck, maps), torch.full((3,), 0.3), rtol=1e-2, atol=0)
    assert {p.dtype for p in neck.parameters()} == {torch.float32}


def test_loaded_weights_are_not_scaled(tmp_path: Path) -> None:
    maps, path = make_maps(), str(tmp_path / 'w.pth')
    plain = make_neck(init_scale=None)  # has no buffer, like every older checkpoint
    torch.save(dict(state_dict=plain.state_dict()), path)
    for load in (
        lambda neck: load_checkpoint(neck, path, strict=True),
        lambda neck: neck.load_state_dict(plain.state_dict()),
    ):
        torch.manual_seed(2)
        neck = MSFNeck([5, 7], 4, init_scale=0.3)
        load(neck)
        neck(maps)
        assert torch.equal(weights(neck), weights(plain))


def test_convolutions_without_weights_in_the_checkpoint_are_scaled_alone() -> None:
    two, maps = make_neck(scales=('medium', 'small')), make_maps()
    two(maps)
    neck = make_neck()
    neck.load_state_dict(two.state_dict(), strict=False)
    neck(maps)
    assert neck.scaled == 1
    for name in two.convs:
        assert torch.equal(neck.convs[name].weight, two.convs[name].weight)
    assert neck.convs['large'](maps[0]).std(correction=0).item() == pytest.approx(0.3, rel=1e-5)


def test_weights_of_another_width_leave_all_to_scale() -> None:
    wide, maps = MSFNeck([5, 7], 8, init_scale=0.3), make_maps()
    wide(maps)
    neck = make_neck()
    load = dict(wide.state_dict())
    with pytest.raises(RuntimeError, match='size mismatch'):
        neck.load_state_dict(load)
    neck(maps)
    torch.testing.assert_close(deviations(neck, maps), torch.full((3,), 0.3))


def test_a_pretrained_backbone_does_not_keep_the_neck_from_being_scaled() -> None:
    model = nn.ModuleDict(dict(backbone=nn.Linear(1, 1), neck=make_neck()))
    state = {name: x for name, x in model.state_dict().items() if name.startswith('backbone')}
    model.load_state_dict(state, strict=False)
    model['neck'](make_maps())
    torch.testing.assert_close(deviations(model['neck'], make_maps()), torch.full((3,), 0.3))
    once = weights(model['neck'])
    model.load_state_dict(state, strict=False)  # a trained neck stays as it is
    model['neck']([10 * x for x in make_maps()])
    assert torch.equal(weights(model['neck']), once)


def test_a_scaled_checkpoint_fits_a_neck_that_does_not_scale() -> None:
    neck, plain = make_neck(), make_neck(init_scale=None)
    neck(make_maps())
    plain.load_state_dict(neck.state_dict())
    assert torch.equal(weights(plain), weights(neck))
    assert 'scaled' not in plain.state_dict()


def test_an_average_starts_from_the_scaled_weights() -> None:
    neck, maps = make_neck(), make_maps()
    average = ExponentialMovingAverage(neck, momentum=0.1)
    neck(maps)
    average.update_parameters(neck)
    assert torch.equal(weights(average.module), weights(neck))
    assert average.module.scaled == 1


def test_a_compiled_neck() -> None:
    maps = make_maps()
    neck, eager = make_neck(), make_neck()
    compiled = torch.compile(neck, backend='eager')
    for _ in range(2):
        for out, expected in zip(compiled(maps), eager(maps), strict=True):
            torch.testing.assert_close(out, expected)
    assert torch.equal(weights(neck), weights(eager)) and neck.scaled == 1


class NeckNet(small_run.Net):
    """The small network behind a neck whose maps the inputs scale."""

    def __init__(self) -> None:
        super().__init__()
        self.neck = make_neck()
        self.layers = nn.Linear(12, 1)

    def forward(self, inputs: Tensor, mode: str = 'tensor') -> Any:
        maps = [5 * x[:1] * (inputs.mean(dim=1) + 1)[:, None, None, None] for x in make_maps()]
        pooled = torch.cat([x.mean(dim=(2, 3)) for x in self.neck(maps)], dim=1)
        outputs = self.layers(pooled)[:, 0]
        if mode == 'loss':
            return dict(loss=(outputs - inputs.sum(1)).square().mean())
        return [float(outputs.detach().mean())]


def test_a_resumed_run_equals_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With EMA; the checkpoint's weights are the average, so both kinds are compared."""
    monkeypatch.setattr(small_run, 'Net', NeckNet)
    checkpoint = dict(interval=1, by_epoch=False, max_keep_ckpts=-1)
    small_run.make_runner(tmp_path / 'whole', checkpoint).train()
    stop = small_run.StopHook('step', 4)
    with pytest.raises(small_run.StopError):
        small_run.make_runner(tmp_path / 'part', checkpoint, [stop]).train()
    first, last = (tmp_path / 'part' / f'iter_{i}.pth' for i in (1, 3))
    assert read_checkpoint(first)['state_dict']['neck.scaled'] == 1
    small_run.make_runner(tmp_path / 'part', checkpoint, resume=True, load_from=str(last)).train()
    for key in ('state_dict', 'ema_state_dict'):
        one, other = (
            read_checkpoint(tmp_path / name / 'iter_12.pth')[key] for name in ('whole', 'part')
        )
        assert_same(one, other)


def _work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    neck = make_neck()
    outs = DistributedDataParallel(neck)(make_maps(rank, deviation=1.0 + 6 * rank))
    sum(x.sum() for x in outs).backward()
    torch.save(weights(neck), f'{folder}/{rank}.pt')
    os._exit(0)  # torch 2.7 can hang when the group is destroyed


def test_two_ranks_scale_alike(tmp_path: Path) -> None:
    ranks = [start_process(_work, rank, str(tmp_path)) for rank in range(2)]
    for process in ranks:
        process.join(timeout=100)
        assert process.exitcode == 0
    one, other = (torch.load(tmp_path / f'{rank}.pt') for rank in range(2))
    assert torch.equal(one, other)
    both = [torch.cat(pair) for pair in zip(make_maps(0, 1.0), make_maps(1, 7.0), strict=True)]
    neck = make_neck()
    neck(both)
    torch.testing.assert_close(one, weights(neck))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(init_scale=0.0), '`init_scale` must be a positive number, got 0.0'),
        (dict(init_scale=float('nan')), '`init_scale` must be a positive number, got nan'),
        (
            dict(profile='ours', embed_dims=32),
            '`init_scale` must be None with a norm.* got 0.3 .* norm_cfg=False leaves',
        ),
    ],
)
def test_wrong_arguments(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MSFNeck(**{'in_channels': [5, 7], 'embed_dims': 4, 'init_scale': 0.3, **kwargs})
