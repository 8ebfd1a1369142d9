"""Every recipe on disk builds and takes one training and one validation step."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from tests.helpers.small_data import make_coco, make_voc

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted(path for path in (ROOT / 'configs').rglob('*.py')
                 if '_base_' not in path.parts)
SIDE = 96  # px; the recipes' own sizes would take minutes


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
            if transform.type == 'mmmsf.Cutout':
                transform.shape = SIDE // 2
    cfg.model.backbone.pop('init_cfg', None)
    cfg.val_evaluator.pop('min_positives', None)


def test_there_are_configs() -> None:
    assert len(CONFIGS) >= 20


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT / 'configs')))
def test_config_builds_and_steps(path: Path, tmp_path: Path) -> None:
    cfg = Config.fromfile(path)
    assert cfg.custom_imports == dict(imports=['mmmsf'], allow_failed_imports=False)
    num_classes = cfg.model.head.num_classes
    for split in ('train', 'val'):
        make_coco(tmp_path, split, tuple(f'class {k}' for k in range(num_classes)))
    for split in ('train', 'val', 'trainval', 'test'):
        make_voc(tmp_path, split)
    shrink(cfg, tmp_path)
    cfg.work_dir = str(tmp_path / 'work')
    cfg.experiment_name = tmp_path.name

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        runner = Runner.from_cfg(cfg)
        runner.train_loop.dataloader  # noqa: B018  builds loop, data and evaluator
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
        batch = next(iter(runner.train_dataloader))
        before = [p.detach().clone() for p in runner.model.head.parameters()]
        rates = [group['lr'] for group in runner.optim_wrapper.optimizer.param_groups]
        log = runner.model.train_step(batch, runner.optim_wrapper)
        assert torch.isfinite(log['loss'])
        assert all(rate > 0 for rate in rates)
        after = runner.model.head.parameters()
        assert any(not torch.equal(a, b) for a, b in zip(after, before, strict=True))

        runner.model.eval()
        metric = runner.val_loop.evaluator
        with torch.no_grad():
            for batch in runner.val_dataloader:
                metric.process(data_samples=runner.model.val_step(batch), data_batch=batch)
        metrics = metric.evaluate(len(runner.val_dataloader.dataset))
        assert 0 <= metrics['multi-label/mAP'] <= 100
