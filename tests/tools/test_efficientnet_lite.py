"""tools/converters/efficientnet_lite_to_mmpretrain.py, on random weights with released names."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from mmpretrain.registry import MODELS
from torch import Tensor

from tests.helpers.run_tool import run_tool
from tests.helpers.small_data import write_image

timm = pytest.importorskip('timm')
TOOL = 'converters/efficientnet_lite_to_mmpretrain.py'
MODELS_FOLDER = Path(__file__).resolve().parents[2] / 'configs/_base_/models'


def random_classifier(variant: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model(f'tf_efficientnet_{variant}').eval()


def release(classifier: torch.nn.Module) -> dict[str, Tensor]:
    """Give the same weights in the same order other names."""
    return {
        f'_part{i}.{name.split(".")[-1]}': x
        for i, (name, x) in enumerate(classifier.state_dict().items())
    }


@pytest.mark.parametrize(
    ('variant', 'name', 'channels'),
    [
        ('lite0', 'efficientnet-lite0.py', (112, 320)),
        ('lite0', 'efficientnet-lite0_frozen.py', (112, 320)),
        ('lite1', 'efficientnet-lite0_frozen.py', (112, 320)),
        ('lite2', 'efficientnet-lite0_frozen.py', (120, 352)),
    ],
)
def test_the_recipes_backbone_computes_the_classifiers_maps(
    tmp_path: Path, variant: str, name: str, channels: tuple[int, int]
) -> None:
    classifier = random_classifier(variant)
    torch.save(release(classifier), tmp_path / 'src.pth')
    write_image(tmp_path / 'noise.jpg')
    options = ('--variant', variant, '--src', 'src.pth', '--check', 'noise.jpg')
    done = run_tool(tmp_path, TOOL, 'dst.pth', *options)
    assert done.returncode == 0, done.stderr
    maps = '{} channels at stride 16, {} channels at stride 32, final 1280'.format(*channels)
    assert maps in done.stdout
    assert done.stdout.count('; ') >= 4 and 'noise.jpg: ' in done.stdout

    cfg = Config.fromfile(MODELS_FOLDER / name).model
    cfg.backbone.pop('init_cfg')
    cfg.backbone.model_name = f'tf_efficientnet_{variant}'
    model = MODELS.build(dict(cfg, head=dict(type='ClsHead'))).eval()
    load_checkpoint(model, str(tmp_path / 'dst.pth'), strict=name.endswith('frozen.py'))
    x = torch.randn(1, 3, 64, 64)
    large, medium, *final = model.backbone(x)
    assert (large.shape, medium.shape) == ((1, channels[0], 4, 4), (1, channels[1], 2, 2))
    final = final or [classifier.bn2(classifier.conv_head(medium))]
    torch.testing.assert_close(final, [classifier.forward_features(x)])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            lambda s: s.pop('_part7.weight'),
            'the 296 tensors of tf_efficientnet_lite0, got 295',
        ),
        (lambda s: s.update(extra=torch.zeros(1)), 'tf_efficientnet_lite0, got 297'),
        (
            lambda s: s.update({'_part0.weight': torch.zeros(8, 3, 3, 3)}),
            '_part0.weight (8, 3, 3, 3) cannot be conv_stem.weight (32, 3, 3, 3)',
        ),
        (
            lambda s: s.update(
                {'_part1.weight': s['_part2.bias'], '_part2.bias': s.pop('_part1.weight')}
            ),
            'cannot be bn1.',
        ),
    ],
    ids=['missing', 'left over', 'shape', 'order'],
)
def test_other_weights_are_refused(tmp_path: Path, change: Callable, message: str) -> None:
    released = release(random_classifier('lite0'))
    change(released)
    torch.save(released, tmp_path / 'src.pth')
    done = run_tool(tmp_path, TOOL, 'dst.pth', '--src', 'src.pth')
    assert done.returncode == 1
    assert 'src.pth: the weights ' in done.stderr and message in done.stderr
    assert not (tmp_path / 'dst.pth').exists()


def test_weights_of_another_variant_are_refused(tmp_path: Path) -> None:
    torch.save(release(random_classifier('lite1')), tmp_path / 'src.pth')
    done = run_tool(tmp_path, TOOL, 'dst.pth', '--src', 'src.pth', '--variant', 'lite2')
    assert done.returncode == 1
    assert 'src.pth: the weights do not fit tf_efficientnet_lite2:' in done.stderr
    assert not (tmp_path / 'dst.pth').exists()
