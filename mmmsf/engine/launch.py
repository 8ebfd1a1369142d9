"""Changes that the command-line tools make to a config, and the runner built from it."""

import os
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import distributed

from .console import QuietRunner
from .resume.find_checkpoint import TEMPLATES, checkpoint_fault, find_checkpoint

DATALOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def set_work_dir(cfg: Config, config_path: str, work_dir: str | None) -> None:
    """Set the work dir: the argument, else the config's, else one by the config's name."""
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(config_path).stem)


def set_dataloader_defaults(cfg: Config) -> None:
    """Set the defaults that MMPretrain's datasets need, where the config has no value."""
    for name in DATALOADERS:
        loader = cfg.get(name)
        if loader is not None:
            loader.setdefault('collate_fn', dict(type='default_collate'))
            loader.setdefault('pin_memory', torch.cuda.is_available())
            loader.setdefault('persistent_workers', loader.get('num_workers', 0) > 0)


def set_optimizer_defaults(cfg: Config) -> None:
    """Use AdamW's fused kernel on a GPU unless the config chooses an implementation."""
    optimizer: Any = (cfg.get('optim_wrapper') or {}).get('optimizer') or {}
    chosen = {'fused', 'foreach', 'capturable', 'differentiable'} & optimizer.keys()
    if torch.cuda.is_available() and optimizer.get('type') == 'AdamW' and not chosen:
        optimizer.fused = True


def set_randomness(cfg: Config, seed: int | None, deterministic: bool) -> None:
    """Set the seed and deterministic algorithms where the command line names them."""
    wanted = dict(seed=seed, deterministic=deterministic or None)
    given = {key: value for key, value in wanted.items() if value is not None}
    if given:
        cfg.randomness = {**(cfg.get('randomness') or {}), **given}


def set_train_loop(cfg: Config) -> None:
    """Train by epochs with ``mmmsf.ResumableTrainLoop`` unless the config names a loop."""
    train_cfg = cfg.get('train_cfg')
    if train_cfg is not None and 'type' not in train_cfg and train_cfg.get('by_epoch'):
        train_cfg.pop('by_epoch')
        train_cfg.type = 'mmmsf.ResumableTrainLoop'


def set_resume(cfg: Config, resume: str) -> None:
    """Resume from the checkpoint ``resume``, or with 'auto' from the work dir's newest valid one.

    A first start with 'auto' finds none and starts as without it: from ``load_from``.

    Raises:
        ValueError: The checkpoint, or with 'auto' every checkpoint of the work dir, is corrupt.
    """
    if resume == 'auto':
        hook = cfg.get('default_hooks', {}).get('checkpoint') or {}
        template = hook.get('filename_tmpl')
        found = find_checkpoint(cfg.work_dir, [template] if template else TEMPLATES)
        if found is None:
            return
        resume = str(found)
    elif Path(resume).is_file() and (fault := checkpoint_fault(resume)):
        raise ValueError(f'cannot resume from the checkpoint {resume}: {fault}')
    cfg.resume, cfg.load_from = True, resume


def set_amp(cfg: Config) -> None:
    """Train in mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU."""
    cfg.optim_wrapper.type = 'mmmsf.AmpOptimWrapper'


def set_compile(cfg: Config) -> None:
    """Compile the network, with the options of the config's ``mmmsf.CompileHook`` if it has one."""
    hooks = cfg.get('custom_hooks') or []
    if not any(hook.get('type') == 'mmmsf.CompileHook' for hook in hooks):
        cfg.custom_hooks = [*hooks, dict(type='mmmsf.CompileHook')]


def set_no_tune(cfg: Config) -> None:
    """Disable the config's TuneThresholdsHook."""
    for hook in [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]:
        if hook is not None and hook.get('type') == 'mmmsf.TuneThresholdsHook':
            hook.enabled = False


def set_fast_forward(cfg: Config, **options: bool) -> None:
    """Test with a prepared copy of the network; see :class:`mmmsf.engine.FastOptions`."""
    hook = dict(type='mmmsf.FastForwardHook', **options)
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), hook]


def prepare_distributed(cfg: Config, launcher: str) -> None:
    """Set the launcher; without a GPU, start a gloo group before the runner does.

    MMEngine sets a CUDA device when it starts a process group, which fails on a machine without
    one. With ``torchrun`` the group is therefore started here and the model is wrapped without
    device ids.

    Raises:
        ValueError: There is no GPU and the launcher is not ``'pytorch'``.
    """
    cfg.launcher = launcher
    if launcher == 'none' or torch.cuda.is_available():
        return
    if launcher != 'pytorch':
        raise ValueError(
            f"without a GPU only launcher='pytorch' (torchrun) works, got {launcher!r}"
        )
    if not distributed.is_initialized():
        distributed.init_process_group('gloo')
    defaults = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.model_wrapper_cfg = {**defaults, **cfg.get('model_wrapper_cfg', {}), 'device_ids': None}


def build_runner(cfg: Config, verbose: bool = False) -> Runner:
    """Build the runner that the config names, by default MMEngine's, with the losses' hooks.

    Args:
        cfg: Config of the run.
        verbose: Show on the console all that the log file has; see :mod:`mmmsf.engine.console`.
            A runner that the config names shows it in any case.
    """
    hooks = dict(
        targets=dict(type='mmmsf.TargetCheckHook'),
        loss_epoch=dict(type='mmmsf.LossEpochHook'),
        label_counts=dict(type='mmmsf.LabelCountHook'),
    )
    cfg.default_hooks = {**hooks, **(cfg.get('default_hooks') or {})}
    if cfg.get('randomness', {}).get('deterministic'):
        # cuBLAS is deterministic only with a workspace of fixed size; torch checks for it.
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    if 'runner_type' in cfg:
        return RUNNERS.build(cfg)
    return (Runner if verbose else QuietRunner).from_cfg(cfg)


def set_local_rank(local_rank: int) -> None:
    """Set the local rank for MMEngine where the launcher passes it as an argument."""
    os.environ.setdefault('LOCAL_RANK', str(local_rank))


def set_show_dir(cfg: Config, show_dir: str) -> None:
    """Make the config's ContactSheetHook write every test image to ``show_dir``.

    Raises:
        ValueError: The config has no such hook.
    """
    for hook in cfg.get('custom_hooks', []):
        if hook.type == 'mmmsf.ContactSheetHook':
            hook.show_dir = show_dir
            return
    raise ValueError("--show-dir needs dict(type='mmmsf.ContactSheetHook') in `custom_hooks`")


def set_tta(cfg: Config) -> None:
    """Test with the config's test-time augmentation, by default the mirror image."""
    if cfg.get('tta_model') is None:
        cfg.tta_model = dict(type='mmmsf.AverageScoreTTA')
    if cfg.get('tta_pipeline') is None:
        *loading, packing = cfg.test_dataloader.dataset.pipeline
        views = [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)]
        cfg.tta_pipeline = [*loading, dict(type='TestTimeAug', transforms=[views, [packing]])]
    cfg.model = dict(**cfg.tta_model, module=cfg.model)
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
