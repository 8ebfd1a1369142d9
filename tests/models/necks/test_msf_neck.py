import pytest
import torch

from mmmsf.models import MSFNeck
from mmmsf.models.layers.scale_attention import INTERPOLATIONS
from tests.helpers import reference


def make_inputs(h: int = 6, w: int = 6, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, 5, 2 * h, 2 * w, dtype=dtype), torch.randn(2, 7, h, w, dtype=dtype)]


@pytest.mark.parametrize(('padding', 'small'), [(1, 7), (0, 6)])
def test_shapes_at_448_px(padding: int, small: int) -> None:
    neck = MSFNeck([1024, 2048], stride_padding=padding).eval()
    with torch.no_grad():
        outs = neck((torch.zeros(1, 1024, 28, 28), torch.zeros(1, 2048, 14, 14)))
    assert [tuple(x.shape) for x in outs] == [
        (1, 512, 28, 28),
        (1, 512, 14, 14),
        (1, 512, small, small),
    ]
    assert sum(parameter.numel() for parameter in neck.parameters()) == 11_011_584


@pytest.mark.parametrize('padding', [0, 1])
@pytest.mark.parametrize('fuse', [True, False])
@pytest.mark.parametrize('gate', [True, False])
@pytest.mark.parametrize(('h', 'w'), [(6, 6), (5, 8)])
def test_equals_the_reference(padding: int, fuse: bool, gate: bool, h: int, w: int) -> None:
    f1, f2 = make_inputs(h, w)
    neck = MSFNeck([5, 7], 4, fuse=fuse, stride_padding=padding, product_gate=gate)
    if gate and fuse:
        torch.nn.init.normal_(neck.scale_attention.gate)
    outs = neck((f1, f2))
    for out, expected in zip(outs, reference.neck_maps(neck, f1, f2, fuse), strict=True):
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)


def test_maps_whose_ratio_is_not_two() -> None:
    torch.manual_seed(0)
    f1, f2 = torch.randn(1, 5, 9, 11), torch.randn(1, 7, 4, 5)
    neck = MSFNeck([5, 7], 4)
    for out, expected in zip(neck((f1, f2)), reference.neck_maps(neck, f1, f2), strict=True):
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('mode', INTERPOLATIONS)
def test_gradients(mode: str) -> None:
    neck = MSFNeck([5, 7], 2, interpolation=mode, product_gate=True).double()
    torch.nn.init.normal_(neck.scale_attention.gate)
    inputs = [x[:1, :, :4, :4].requires_grad_() for x in make_inputs(4, 4, torch.float64)]
    assert torch.autograd.gradcheck(lambda *x: neck(x), inputs)


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize('mode', INTERPOLATIONS)
def test_every_interpolation_equals_the_reference(mode: str, layout: torch.memory_format) -> None:
    f1, f2 = make_inputs(5, 8)
    neck = MSFNeck([5, 7], 4, interpolation=mode)
    outs = neck([x.contiguous(memory_format=layout) for x in (f1, f2)])
    for out, expected in zip(outs, reference.neck_maps(neck, f1, f2), strict=True):
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
        assert out.is_contiguous(memory_format=torch.channels_last)


def test_tokens_are_views() -> None:
    for x in MSFNeck([5, 7], 4)(make_inputs()):
        tokens = x.flatten(2).transpose(1, 2)
        assert tokens.is_contiguous() and tokens.data_ptr() == x.data_ptr()


@pytest.mark.parametrize('scales', [('medium',), ('medium', 'small'), ('large', 'small')])
def test_scales_can_be_left_out(scales: tuple[str, ...]) -> None:
    f1, f2 = make_inputs()
    neck = MSFNeck([5, 7], 4, scales=scales)
    outs = neck((f1, f2))
    sizes = {'large': 12, 'medium': 6, 'small': 3}
    assert [x.shape[-1] for x in outs] == [sizes[s] for s in scales]
    assert set(neck.convs) == set(scales)


def test_a_single_scale_is_its_convolution() -> None:
    f1, f2 = make_inputs()
    neck = MSFNeck([5, 7], 4, scales=('medium',))
    torch.testing.assert_close(neck((f1, f2))[0], neck.convs['medium'](f2))


def test_a_zero_gate_only_resizes() -> None:
    f1, f2 = make_inputs()
    neck = MSFNeck([5, 7], 4, product_gate=True)
    large, _, small = neck((f1, f2))
    torch.testing.assert_close(large, neck.convs['large'](f1))
    back = reference.resize(reference.resize(neck.convs['small'](f2), 12, 12), 3, 3)
    torch.testing.assert_close(small, back)


def test_a_single_map_backbone() -> None:
    torch.manual_seed(0)
    feat = torch.randn(1, 7, 6, 4)
    neck = MSFNeck([7], 4, fuse=False)
    large, medium, small = neck((feat,))
    upsampled = reference.resize(feat, 12, 8)
    torch.testing.assert_close(large, neck.convs['large'](upsampled), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(medium, neck.convs['medium'](feat))
    assert small.shape == (1, 4, 3, 2)


GN, RELU = dict(type='GN', num_groups=2), dict(type='ReLU')


@pytest.mark.parametrize('fuse', [True, False])
@pytest.mark.parametrize(
    'extra', [dict(norm_cfg=GN), dict(act_cfg=RELU), dict(norm_cfg=GN, act_cfg=RELU)], ids=str
)
def test_norm_and_activation_follow_the_convolutions(extra: dict, fuse: bool) -> None:
    f1, f2 = make_inputs(5, 8)
    neck = MSFNeck([5, 7], 4, fuse=fuse, **extra)
    for norm in (neck.norms or {}).values():
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
    outs = neck((f1, f2))
    for out, expected in zip(outs, reference.neck_maps(neck, f1, f2, fuse), strict=True):
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)
        assert out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('left_out', ['norm_cfg', 'act_cfg'])
def test_false_leaves_a_profiles_norm_or_activation_out(left_out: str) -> None:
    ours = dict(norm_cfg=dict(type='GN', num_groups=32), act_cfg=RELU)
    neck = MSFNeck([5, 7], 32, profile='ours', **{left_out: False})
    twin = MSFNeck([5, 7], 32, fuse=False, **{k: v for k, v in ours.items() if k != left_out})
    twin.load_state_dict(neck.state_dict())
    inputs = make_inputs(5, 8)
    for out, expected in zip(neck(inputs), twin(inputs), strict=True):
        torch.testing.assert_close(out, expected, atol=0, rtol=0)


def test_normalized_maps_do_not_depend_on_the_size_of_the_features() -> None:
    f1, f2 = make_inputs()
    neck = MSFNeck([5, 7], 64, profile='ours').eval()
    with torch.no_grad():
        for conv in neck.convs.values():
            conv.bias.zero_()
        for out, large in zip(neck((f1, f2)), neck((50 * f1, 50 * f2)), strict=True):
            torch.testing.assert_close(out, large, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize('extra', [dict(), dict(profile='ours')], ids=['paper', 'ours'])
def test_the_last_map_is_handed_on(extra: dict) -> None:
    f1, f2 = make_inputs()
    more = torch.randn(2, 9, 3, 3)
    neck, plain = (MSFNeck([5, 7], 32, passthrough=p, **extra).eval() for p in (True, False))
    plain.load_state_dict(neck.state_dict())
    for inputs in ((f1, f2), (f1, f2, more)):
        *maps, last = neck(inputs)
        assert last is inputs[-1]
        for x, expected in zip(maps, plain((f1, f2)), strict=True):
            torch.testing.assert_close(x, expected, atol=0, rtol=0)


def test_one_map_at_most_is_handed_on() -> None:
    f1, f2 = make_inputs()
    with pytest.raises(ValueError, match='takes 2 feature maps, but the backbone gave 3'):
        MSFNeck([5, 7], 4)((f1, f2, f2))
    for wrong in ((f1,), (f1, f2, f2, f2)):
        with pytest.raises(ValueError, match='2 feature maps and possibly one to hand on, but'):
            MSFNeck([5, 7], 4, passthrough=True)(wrong)


@pytest.mark.parametrize(
    ('kwargs', 'padding', 'fused', 'gated', 'normed'),
    [
        (dict(), 1, True, False, False),
        (dict(profile='authors'), 0, True, False, False),
        (dict(profile='ours'), 1, False, False, True),
        (dict(profile='authors', stride_padding=1, product_gate=True), 1, True, True, False),
        (dict(profile='ours', fuse=True, product_gate=True), 1, True, True, True),
        (dict(norm_cfg=GN, fuse=False), 1, False, False, True),
        (dict(profile='ours', norm_cfg=False), 1, False, False, False),
    ],
    ids=str,
)
def test_profiles(kwargs: dict, padding: int, fused: bool, gated: bool, normed: bool) -> None:
    neck = MSFNeck([5, 7], 32, **kwargs)
    assert neck.stride_padding == neck.convs['small'].padding[0] == padding
    assert (neck.scale_attention is not None) == fused
    assert (fused and neck.scale_attention.gate is not None) == gated
    assert (neck.norms is not None) == normed


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(in_channels=[1, 2, 3]), r'`in_channels` must .* got \[1, 2, 3\]'),
        (dict(scales=()), r'`scales` must be a non-empty subsequence .* got \(\)'),
        (dict(scales=('small', 'large')), r"got \('small', 'large'\)"),
        (dict(scales=('huge',)), r"got \('huge',\)"),
        (dict(interpolation='cubic'), "`interpolation` must be one of .* got 'cubic'"),
        (dict(profile='ours', embed_dims=48), 'num_channels .* divisible by num_groups'),
        (dict(stride_padding=2), '`stride_padding` must be 0 or 1, got 2'),
        (dict(profile='theirs'), "`profile` must be one of .* got 'theirs'"),
    ],
)
def test_wrong_arguments(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MSFNeck(**{'in_channels': [5, 7], **kwargs})


@pytest.mark.parametrize(
    ('scales', 'fuses'),
    [(('large', 'medium', 'small'), True), (('medium', 'small'), True), (('small',), False)],
)
def test_scales_are_fused_where_there_are_two(scales: tuple[str, ...], fuses: bool) -> None:
    assert (MSFNeck([5, 7], 4, scales=scales).scale_attention is not None) == fuses
    assert MSFNeck([5, 7], 4, scales=scales, fuse=False).scale_attention is None


def test_wrong_inputs() -> None:
    neck = MSFNeck([5, 7], 4)
    with pytest.raises(ValueError, match=r'takes 2 feature maps, but the backbone gave 1 with'):
        neck(make_inputs()[1:])
    with pytest.raises(ValueError, match=r'in_channels = \[5, 7\], but the backbone gave shapes'):
        neck(make_inputs()[::-1])
    with pytest.raises(ValueError, match='shapes'):
        neck((torch.zeros(2, 5), torch.zeros(2, 7)))


def test_a_map_too_small_for_the_unpadded_convolution() -> None:
    maps = (torch.zeros(1, 5, 4, 4), torch.zeros(1, 7, 2, 2))
    assert MSFNeck([5, 7], 4)(maps)[2].shape[-2:] == (1, 1)
    pixel = (torch.zeros(1, 5, 2, 2), torch.zeros(1, 7, 1, 1))
    assert MSFNeck([5, 7], 4)(pixel)[2].shape[-2:] == (1, 1)
    with pytest.raises(ValueError, match=r'stride_padding=0 .* at least 3 x 3, but the backbone'):
        MSFNeck([5, 7], 4, stride_padding=0)(maps)
