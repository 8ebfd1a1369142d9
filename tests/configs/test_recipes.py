"""Every recipe builds and takes one training and one validation step; recipes are plain deltas."""

import ast
import re
from pathlib import Path
from unittest import mock

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmmsf.models.losses import set_epoch
from tests.helpers.recipes import CONFIGS, GRID, NAMES, ROOT, ROWS, load_recipe, load_row
from tests.helpers.small_data import make_coco, make_voc

SIDE = 96  # px; the recipes' own sizes take minutes
QUICK = re.compile(
    'msf_resnet18|digits-hard|msf-authors_.*voc07|evidence/msf-lite|csra_resnet101.*coco14'
)
# The ablations change the same keys of every base; the one on digits is small.
ROWS_BASE = CONFIGS['msf/msf_resnet18_1xb16-5e_digits-hard-64px.py']
NAME = re.compile(
    r'[a-z0-9-]+_[a-z0-9-]+_\d+xb(?P<batch>\d+)-(?P<epochs>\d+)e_[a-z0-9-]+-(?P<side>\d+)px'
)
LITERALS = (
    *(
        ast.Module,
        ast.Assign,
        ast.Expr,
        ast.Name,
        ast.Constant,
        ast.List,
        ast.Tuple,
        ast.Dict,
        ast.keyword,
    ),
    *(ast.Attribute, ast.BinOp, ast.operator, ast.UnaryOp, ast.unaryop, ast.expr_context),
)


def bases(path: Path) -> list[Path]:
    """Return the files that a config names in ``_base_``."""
    for line in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == '_base_':
            found = ast.literal_eval(line.value)
            return [path.parent / name for name in ([found] if isinstance(found, str) else found)]
    return []


def depth(path: Path) -> int:
    """Count the configs between a config and the end of its longest chain of bases."""
    return max((1 + depth(base) for base in bases(path)), default=0)


def make_data(root: Path, num_classes: int) -> None:
    """Write small sets in the layouts of COCO and VOC, and tables of the latter's images."""
    for split in ('train', 'val', 'trainval', 'test'):
        make_voc(root, split)
    for split in ('train', 'val'):
        make_coco(root, split, tuple(f'class {k}' for k in range(num_classes)))
        rows = [f'JPEGImages/{split}_{i:06d}.jpg,person;car' for i in range(4)]
        (root / f'{split}.csv').write_text('\n'.join(['path,labels', *rows]) + '\n')


def shrink(cfg: Config, data_root: Path) -> None:
    """Point a config to small data, a small image size and ResNet-50, without downloads."""
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(batch_size=2, num_workers=0, collate_fn=dict(type='default_collate'))
        dataset = loader.dataset
        dataset.data_root = str(data_root)
        if dataset.type == 'mmmsf.ScaledDigits':
            dataset.num_images = dict(train=4, val=4)
        for transform in dataset.pipeline:
            if transform.type in ('Resize', 'RandomResizedCrop'):
                transform.scale = (SIDE, SIDE)
            if transform.type == 'mmmsf.Cutout':
                transform.shape = SIDE // 2
    cfg.model.backbone.pop('init_cfg', None)
    if cfg.model.backbone.get('depth') == 101:
        cfg.model.backbone.depth = 50  # the same maps from half the layers
    cfg.val_evaluator.pop('min_positives', None)


def build_runner(cfg: Config) -> Runner:
    """Build a runner with its loops, optimizer and schedule, without formatting the config."""
    with mock.patch.multiple(Config, pretty_text='', dump=mock.Mock()):
        runner = Runner.from_cfg(cfg)
    runner.train_loop.dataloader  # noqa: B018  builds loop, data and evaluator
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    return runner


def check_training_step(runner: Runner) -> None:
    """Require a finite loss and changed weights."""
    before = [p.detach().clone() for p in runner.model.head.parameters()]
    rates = [group['lr'] for group in runner.optim_wrapper.optimizer.param_groups]
    assert all(rate > 0 for rate in rates)
    set_epoch(runner.model, 0)
    log = runner.model.train_step(next(iter(runner.train_dataloader)), runner.optim_wrapper)
    assert torch.isfinite(log['loss'])
    after = runner.model.head.parameters()
    assert any(not torch.equal(a, b) for a, b in zip(after, before, strict=True))


def check_validation(runner: Runner) -> None:
    """Require a metric within its range."""
    runner.model.eval()
    metric = runner.val_loop.evaluator
    with torch.no_grad():
        for batch in runner.val_dataloader:
            metric.process(data_samples=runner.model.val_step(batch), data_batch=batch)
    metrics = metric.evaluate(len(runner.val_dataloader.dataset))
    assert 0 <= metrics['multi-label/mAP'] <= 100


@pytest.mark.parametrize(
    'name',
    [pytest.param(name, marks=() if QUICK.search(name) else pytest.mark.slow) for name in NAMES],
)
def test_recipe_builds_and_steps(name: str, tmp_path: Path) -> None:
    cfg = load_recipe(name) if name in CONFIGS else load_row(GRID, name, base=ROWS_BASE)
    assert cfg.custom_imports == dict(imports=['mmmsf'], allow_failed_imports=False)
    make_data(tmp_path, cfg.model.head.num_classes)
    shrink(cfg, tmp_path)
    cfg.work_dir = str(tmp_path / 'work')
    cfg.experiment_name = tmp_path.name
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        runner = build_runner(cfg)
        check_training_step(runner)
        check_validation(runner)


@pytest.mark.parametrize(
    ('start', 'init_scale'), [('msf', 0.3), ('msf-coco', 0.3), ('msf-lite', None), ('msf-authors', None)]
)
def test_the_papers_recipes_start_from_small_maps(start: str, init_scale: float | None) -> None:
    names = [name for name in CONFIGS if Path(name).name.startswith(f'{start}_resnet101')]
    assert names
    for name in names:
        assert load_recipe(name).model.neck.init_scale == init_scale, name


@pytest.mark.parametrize('name', CONFIGS)
def test_name_says_batch_epochs_and_size(name: str) -> None:
    cfg = load_recipe(name)
    match = NAME.fullmatch(CONFIGS[name].stem)
    assert match
    assert cfg.train_dataloader.batch_size == int(match['batch'])
    assert cfg.train_cfg.max_epochs == cfg.param_scheduler.end == int(match['epochs'])
    pipeline = cfg.train_dataloader.dataset.pipeline
    resizes = ('Resize', 'RandomCrop', 'RandomResizedCrop')
    sides = {t.get('crop_size') or t.scale[0] for t in pipeline if t.type in resizes}
    assert sides == {int(match['side'])}


@pytest.mark.parametrize('name', CONFIGS)
def test_recipe_is_at_most_three_deltas_deep(name: str) -> None:
    assert depth(CONFIGS[name]) <= 3


@pytest.mark.parametrize(
    'path',
    sorted((ROOT / 'configs').rglob('*.py')),
    ids=lambda path: str(path.relative_to(ROOT / 'configs')),
)
def test_recipe_has_no_logic(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) == 'dict' and not node.args
        else:
            assert isinstance(node, LITERALS), ast.unparse(node)


def test_grid_has_the_rows_of_the_paper() -> None:
    assert ROWS == [
        *('msf-no-hsa', 'msf-no-encoder', 'msf-no-decoder', 'msf-1-scale', 'msf-2-scale'),
        *('msf-bicubic', 'msf-area', 'msf-nearest'),
        *('msf-self-attn-first', 'msf-self-attn-rest', 'msf-self-attn-all'),
        *('msf-enc1-dec1', 'msf-enc1-dec2', 'msf-enc1-dec3', 'msf-enc2-dec1', 'msf-enc2-dec2'),
        *('msf-enc3-dec1', 'msf-enc3-dec2', 'msf-enc3-dec3'),
        *('msf-bce', 'msf-unshared', 'msf-gate', 'msf-init-none'),
    ]
    base = load_row(GRID, None).to_dict()
    assert [name for name in ROWS if load_recipe(name).to_dict() == base] == []
    head = load_recipe('msf-enc3-dec1').model.head
    assert (head.num_encoder_layers, head.num_decoder_layers) == (3, 1)
    assert load_recipe('msf-no-hsa').model.neck.fuse is False
    assert load_recipe('msf-1-scale').model.head.num_scales == 1
    assert load_recipe('msf-bce').model.head.loss.gamma_neg == 0
    assert load_recipe('msf-bce').model.head.loss.type == 'mmmsf.AsymmetricLoss'
