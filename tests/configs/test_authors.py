"""The recipes of the authors' profile: every value of their code that the framework can take."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from PIL import Image

from tests.helpers.recipes import CONFIGS, load_recipe

AUTHORS = [name for name in CONFIGS if name.startswith('msf/msf-authors')]
GAMMA_NEG = {'coco14-448px': 4.0, 'coco14-576px': 2.0}  # VOC: 0


@pytest.mark.parametrize('name', AUTHORS)
def test_values(name: str) -> None:
    cfg = load_recipe(name)
    head, neck = cfg.model.head, cfg.model.neck
    assert head.profile == neck.profile == 'authors'
    assert head.loss.type == 'mmmsf.PolynomialLoss' and head.loss.gamma_pos == 0
    assert head.loss.gamma_neg == GAMMA_NEG.get(name[:-3].rsplit('_', 1)[-1], 0)
    assert cfg.param_scheduler.cycle_momentum == (0.85, 0.95)
    assert cfg.param_scheduler.pct_start == 0.2
    assert cfg.train_dataloader.drop_last
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        assert (evaluator.thr, evaluator.ap_flavour) == (0.715, 'voc')
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        assert dataset.get('difficult', 'negative') == 'negative'
        load, resize = dataset.pipeline[:2]
        assert load.ignore_orientation and resize.backend == 'pillow'


def test_there_are_six() -> None:
    assert len(AUTHORS) == 6


@pytest.mark.parametrize('name', [name for name in AUTHORS if 'coco_' not in name])
def test_pixels_are_those_of_pillow(name: str, tmp_path: Path) -> None:
    """A photograph that a camera stored lying, reduced 3 times, which needs the antialiasing."""
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    picture = Image.fromarray(cv2.resize(noise, (1600, 1200), interpolation=cv2.INTER_CUBIC))
    tags = Image.Exif()
    tags[0x0112] = 6
    path = tmp_path / 'a.jpg'
    picture.save(path, quality=95, exif=tags)
    pipeline = load_recipe(name).test_dataloader.dataset.pipeline
    side = pipeline[1].scale[0]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        done = Compose(pipeline)(dict(img_path=str(path), gt_label=[0]))
    found = done['inputs'].permute(1, 2, 0).numpy()[..., ::-1].astype(int)
    expected = Image.open(path).convert('RGB').resize((side, side), Image.Resampling.BILINEAR)
    assert np.abs(found - np.array(expected)).max() <= 1
