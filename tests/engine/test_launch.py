import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmmsf.engine import launch

MODEL = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, out_indices=(2, 3)),
    neck=dict(type='mmmsf.MSFNeck', in_channels=[256, 512], embed_dims=8),
    head=dict(
        type='mmmsf.MSFHead', num_classes=3, embed_dims=8, num_heads=2, feedforward_channels=8
    ),
)


def test_work_dir_order() -> None:
    for cfg_dir, argument, expected in (
        ('a', 'b', 'b'),
        ('a', None, 'a'),
        (None, None, 'work_dirs/exp'),
    ):
        cfg = Config(dict(work_dir=cfg_dir))
        launch.set_work_dir(cfg, 'configs/exp.py', argument)
        assert cfg.work_dir == expected


def test_dataloader_defaults_keep_what_is_set() -> None:
    cfg = Config(
        dict(
            train_dataloader=dict(num_workers=2, pin_memory=True),
            val_dataloader=dict(),
            test_dataloader=None,
        )
    )
    launch.set_dataloader_defaults(cfg)
    assert cfg.train_dataloader.pin_memory is True
    assert cfg.train_dataloader.persistent_workers is True
    assert cfg.val_dataloader.persistent_workers is False
    assert cfg.val_dataloader.collate_fn == dict(type='default_collate')
    assert cfg.test_dataloader is None


def test_amp() -> None:
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper')))
    launch.set_amp(cfg)
    assert cfg.optim_wrapper.type == 'mmmsf.AmpOptimWrapper'


@pytest.mark.parametrize(
    'gpu, optimizer, fused',
    [
        (True, dict(type='AdamW'), True),
        (False, dict(type='AdamW'), None),
        (True, dict(type='AdamW', fused=False), False),
        (True, dict(type='AdamW', foreach=True), None),
        (True, dict(type='SGD'), None),
    ],
)
def test_fused_adamw_on_a_gpu_unless_the_config_chooses(
    gpu: bool, optimizer: dict, fused: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    cfg = Config(dict(optim_wrapper=dict(optimizer=optimizer)))
    launch.set_optimizer_defaults(cfg)
    assert cfg.optim_wrapper.optimizer.get('fused') is fused
    launch.set_optimizer_defaults(Config(dict(optim_wrapper=None)))


def test_seed_and_deterministic_work_without_randomness_in_the_config() -> None:
    cfg = Config(dict())
    launch.set_randomness(cfg, None, False)
    assert 'randomness' not in cfg
    launch.set_randomness(cfg, 3, False)
    launch.set_randomness(cfg, None, True)
    assert cfg.randomness == dict(seed=3, deterministic=True)


def test_compile_keeps_the_options_of_the_config() -> None:
    cfg = Config(dict(custom_hooks=[dict(type='mmmsf.CompileHook', backend='eager')]))
    launch.set_compile(cfg)
    assert cfg.custom_hooks == [dict(type='mmmsf.CompileHook', backend='eager')]
    cfg = Config(dict())
    launch.set_compile(cfg)
    assert cfg.custom_hooks == [dict(type='mmmsf.CompileHook')]


def make_checkpoint(path: Path) -> None:
    torch.save(dict(meta=dict(), message_hub=dict(), state_dict=dict(a=torch.zeros(1))), path)


def test_resume_auto_begins_from_load_from_where_nothing_is_to_resume(tmp_path: Path) -> None:
    cfg = Config(dict(work_dir=str(tmp_path), load_from='coco.pth', resume=False))
    launch.set_resume(cfg, 'auto')
    assert (cfg.resume, cfg.load_from) == (False, 'coco.pth')
    make_checkpoint(tmp_path / 'epoch_1.pth')
    launch.set_resume(cfg, 'auto')
    assert (cfg.resume, cfg.load_from) == (True, str(tmp_path / 'epoch_1.pth'))


def test_resume_auto_knows_the_hooks_file_names(tmp_path: Path) -> None:
    make_checkpoint(tmp_path / 'epoch_1.pth')
    make_checkpoint(tmp_path / 'my_1.pth')
    cfg = Config(
        dict(work_dir=str(tmp_path), default_hooks=dict(checkpoint=dict(filename_tmpl='my_{}.pth')))
    )
    launch.set_resume(cfg, 'auto')
    assert cfg.load_from == str(tmp_path / 'my_1.pth')
    cfg = Config(dict(work_dir=str(tmp_path / 'none'), default_hooks=dict(checkpoint=None)))
    launch.set_resume(cfg, 'auto')
    assert 'load_from' not in cfg


def test_resume_from_a_named_checkpoint(tmp_path: Path) -> None:
    cfg = Config(dict(work_dir=str(tmp_path), load_from='coco.pth', resume=False))
    launch.set_resume(cfg, 'epoch_3.pth')
    assert (cfg.resume, cfg.load_from) == (True, 'epoch_3.pth')


def test_resume_from_a_damaged_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / 'epoch_3.pth'
    make_checkpoint(path)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(
        ValueError, match=r'cannot resume from the checkpoint .*epoch_3\.pth: truncated'
    ):
        launch.set_resume(Config(dict(work_dir=str(tmp_path))), str(path))


@pytest.mark.parametrize(
    'train_cfg, expected',
    [
        (dict(by_epoch=True, max_epochs=3), dict(type='mmmsf.ResumableTrainLoop', max_epochs=3)),
        (dict(by_epoch=False, max_iters=3), dict(by_epoch=False, max_iters=3)),
        (dict(type='MyLoop', max_epochs=3), dict(type='MyLoop', max_epochs=3)),
        (None, None),
    ],
)
def test_train_loop(train_cfg: dict | None, expected: dict | None) -> None:
    cfg = Config(dict(train_cfg=train_cfg))
    launch.set_train_loop(cfg)
    assert cfg.train_cfg == expected


@pytest.mark.skipif(torch.cuda.is_available(), reason='the choice on a machine without a GPU')
def test_other_launchers_need_a_gpu() -> None:
    with pytest.raises(ValueError, match="only launcher='pytorch' .* got 'slurm'"):
        launch.prepare_distributed(Config(dict()), 'slurm')


@pytest.mark.parametrize('deterministic', [False, True])
def test_a_deterministic_run_gives_cublas_its_workspace(
    deterministic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the runner is built, for torch reads it when CUDA starts."""
    monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', '')  # so that it is as before in the end
    monkeypatch.delenv('CUBLAS_WORKSPACE_CONFIG')
    monkeypatch.setattr(launch.Runner, 'from_cfg', lambda cfg: dict(os.environ))
    seen = launch.build_runner(Config(dict(randomness=dict(seed=0, deterministic=deterministic))))
    assert seen.get('CUBLAS_WORKSPACE_CONFIG') == (':4096:8' if deterministic else None)


def test_show_dir_needs_the_hook() -> None:
    cfg = Config(dict(custom_hooks=[dict(type='mmmsf.ContactSheetHook')]))
    launch.set_show_dir(cfg, 'out')
    assert cfg.custom_hooks[0].show_dir == 'out'
    with pytest.raises(ValueError, match='--show-dir needs'):
        launch.set_show_dir(Config(dict()), 'out')


def test_default_tta_averages_the_image_and_its_mirror_image() -> None:
    pipeline = [dict(type='mmmsf.LoadImage'), dict(type='PackInputs')]
    cfg = Config(dict(model=MODEL, test_dataloader=dict(dataset=dict(pipeline=pipeline))))
    launch.set_tta(cfg)
    assert cfg.test_dataloader.dataset.pipeline[-1].type == 'TestTimeAug'
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model).eval()
    scores = [torch.tensor([0.9, 0.6, 0.2]), torch.tensor([0.7, 0.2, 0.4])]
    views = [DataSample().set_pred_score(s).set_pred_label([0, 1]) for s in scores]
    (merged,) = model.merge_preds([views])
    torch.testing.assert_close(merged.pred_score, torch.tensor([0.8, 0.4, 0.3]))
    assert merged.pred_label.tolist() == [0]


@pytest.mark.parametrize('verbose', [False, True])
def test_the_console_is_quiet_unless_verbose(
    verbose: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_cfg = classmethod(lambda cls, cfg: cls)
    monkeypatch.setattr(launch.Runner, 'from_cfg', from_cfg)
    runner = launch.build_runner(Config(dict()), verbose)
    assert runner is (launch.Runner if verbose else launch.QuietRunner)


def test_no_tune_finds_the_hook_in_both_places() -> None:
    hook = dict(type='mmmsf.TuneThresholdsHook')
    cfg = Config(dict(default_hooks=dict(a=hook, timer=None), custom_hooks=[dict(type='X'), hook]))
    launch.set_no_tune(cfg)
    assert cfg.default_hooks.a.enabled is False and cfg.custom_hooks[1].enabled is False
    assert 'enabled' not in cfg.custom_hooks[0]
    launch.set_no_tune(Config(dict()))


def test_every_run_has_the_hooks_of_the_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(launch.Runner, 'from_cfg', lambda cfg: seen.append(cfg.default_hooks))
    launch.build_runner(Config(dict()))
    launch.build_runner(Config(dict(default_hooks=dict(targets=None))))
    assert [hooks.targets for hooks in seen] == [dict(type='mmmsf.TargetCheckHook'), None]
    assert [hooks.loss_epoch.type for hooks in seen] == ['mmmsf.LossEpochHook'] * 2
    assert [hooks.label_counts.type for hooks in seen] == ['mmmsf.LabelCountHook'] * 2
