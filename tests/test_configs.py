"""Every recipe on disk builds and takes one training and one validation step."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted(path for path in (ROOT / 'configs').rglob('*.py')
                 if '_base_' not in path.parts)
SIDE = 96  # px; the recipes' own sizes would take minutes


def make_coco(root: Path, split: str, classes: tuple[str, ...], num_images: int = 4) -> None:
    """A small set in COCO 2014's layout: annotations/instances_<split>2014.json, <split>2014/."""
    folder = root / f'{split}2014'
    folder.mkdir(parents=True)
    (root / 'annotations').mkdir(exist_ok=True)
    categories = [dict(id=i + 1, name=name) for i, name in enumerate(classes)]
    images, annotations = [], []
    rng = np.random.default_rng(0)
    for i in range(num_images):
        name = f'COCO_{split}2014_{i:012d}.jpg'
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (48, 80, 3), dtype=np.uint8))
        images.append(dict(id=i, file_name=name, width=80, height=48))
        for k in (i, i + 1):
            annotations.append(dict(id=len(annotations) + 1, image_id=i,
                                    category_id=categories[k]['id'], bbox=[0, 0, 10, 10],
                                    area=100, iscrowd=0))
    (root / f'annotations/instances_{split}2014.json').write_text(
        json.dumps(dict(images=images, annotations=annotations, categories=categories)))


def shrink(cfg: Config, data_root: Path) -> None:
    """Point the config to small data made here, at a small size, without downloads."""
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=2, num_workers=0, collate_fn=dict(type='default_collate'))
        dataset = loader.dataset
        dataset.data_root = str(data_root)
        if dataset.type == 'mmmsf.ScaledDigits':
            dataset.num_images = dict(train=4, val=4)
        for transform in dataset.pipeline:
            if transform.type == 'Resize':
                transform.scale = (SIDE, SIDE)
            if transform.type == 'Cutout':
                transform.shape = SIDE // 2
    cfg.model.backbone.pop('init_cfg', None)


def test_there_are_configs() -> None:
    assert len(CONFIGS) >= 3


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT / 'configs')))
def test_config_builds_and_steps(path: Path, tmp_path: Path) -> None:
    cfg = Config.fromfile(path)
    assert cfg.custom_imports == dict(imports=['mmmsf'], allow_failed_imports=False)
    num_classes = cfg.model.head.num_classes
    for split in ('train', 'val'):
        make_coco(tmp_path, split, tuple(f'class {k}' for k in range(num_classes)))
    shrink(cfg, tmp_path)
    cfg.work_dir = str(tmp_path / 'work')
    cfg.experiment_name = tmp_path.name

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        runner = Runner.from_cfg(cfg)
        runner.train_loop.dataloader  # noqa: B018  builds loop, data and evaluator
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
        batch = next(iter(runner.train_dataloader))
        before = runner.model.head.state_dict()['fc.weight'].clone()
        rates = [group['lr'] for group in runner.optim_wrapper.optimizer.param_groups]
        log = runner.model.train_step(batch, runner.optim_wrapper)
        assert torch.isfinite(log['loss'])
        assert all(rate > 0 for rate in rates)
        assert not torch.equal(runner.model.head.state_dict()['fc.weight'], before)

        runner.model.eval()
        metric = runner.val_loop.evaluator
        with torch.no_grad():
            for batch in runner.val_dataloader:
                metric.process(data_samples=runner.model.val_step(batch), data_batch=batch)
        metrics = metric.evaluate(len(runner.val_dataloader.dataset))
        assert 0 <= metrics['multi-label/mAP'] <= 100
