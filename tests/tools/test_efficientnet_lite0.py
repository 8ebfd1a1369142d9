"""tools/converters/efficientnet_lite0_to_mmpretrain.py, on random weights with released names."""

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
TOOL = 'converters/efficientnet_lite0_to_mmpretrain.py'
MODELS_FOLDER = Path(__file__).resolve().parents[2] / 'configs/_base_/models'


@pytest.fixture(scope='module')
def classifier() -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model('tf_efficientnet_lite0').eval()


@pytest.fixture
def released(classifier: torch.nn.Module) -> dict[str, Tensor]:
    """The same weights in the same order under other names."""
    return {
        f'_part{i}.{name.split(".")[-1]}': x
        for i, (name, x) in enumerate(classifier.state_dict().items())
    }


@pytest.mark.parametrize('name', ['efficientnet-lite0.py', 'efficientnet-lite0_frozen.py'])
def test_the_recipes_backbone_computes_the_classifiers_maps(
    tmp_path: Path, classifier: torch.nn.Module, released: dict[str, Tensor], name: str
) -> None:
    torch.save(released, tmp_path / 'src.pth')
    write_image(tmp_path / 'noise.jpg')
    done = run_tool(tmp_path, TOOL, 'dst.pth', '--src', 'src.pth', '--check', 'noise.jpg')
    assert done.returncode == 0, done.stderr
    assert '112 channels at stride 16, 320 channels at stride 32, final 1280' in done.stdout
    assert done.stdout.count('; ') >= 4 and 'noise.jpg: ' in done.stdout

    cfg = Config.fromfile(MODELS_FOLDER / name).model
    cfg.backbone.pop('init_cfg')
    model = MODELS.build(dict(cfg, head=dict(type='ClsHead'))).eval()
    load_checkpoint(model, str(tmp_path / 'dst.pth'), strict=name.endswith('frozen.py'))
    x = torch.randn(1, 3, 64, 64)
    large, medium, *final = model.backbone(x)
    assert (large.shape, medium.shape) == ((1, 112, 4, 4), (1, 320, 2, 2))
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
def test_other_weights_are_refused(
    tmp_path: Path, released: dict[str, Tensor], change: Callable, message: str
) -> None:
    change(released)
    torch.save(released, tmp_path / 'src.pth')
    done = run_tool(tmp_path, TOOL, 'dst.pth', '--src', 'src.pth')
    assert done.returncode == 1
    assert 'src.pth: the weights ' in done.stderr and message in done.stderr
    assert not (tmp_path / 'dst.pth').exists()
