from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmmsf.checkpoint import build_model
from mmmsf.engine import FastForward, FastForwardHook, launch
from mmmsf.models.tta import AverageScoreTTA
from mmmsf.utils.unwrap import unwrap_model
from tests.helpers.run_tool import run_tool
from tests.helpers.small_checkpoint import CLASSES, small_config, write_checkpoint
from tests.helpers.small_data import make_coco


def num_norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def wrapped(model: Any, kind: str) -> Any:
    return AverageScoreTTA(model) if kind == 'tta' else model


@pytest.mark.parametrize('kind', ['plain', 'tta'])
def test_the_test_loop_alone_sees_the_copy(kind: str) -> None:
    torch.manual_seed(0)
    model = build_model(small_config())
    outer = wrapped(model, kind)
    runner: Any = SimpleNamespace(model=outer, test_dataloader=SimpleNamespace(batch_size=4))
    hook = FastForwardHook(channels_last=False)
    images = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    with torch.no_grad():
        model.backbone.conv1.weight.mul_(2)  # as an averaging hook exchanges weights before it
    expected = model.test_step(dict(inputs=images))
    hook.before_test_iter(runner, 0)
    fast = runner.model if kind == 'plain' else outer.module
    assert isinstance(fast, FastForward)
    for number in range(2):
        samples = fast.test_step(dict(inputs=images))
        hook.before_test_iter(runner, number + 1)
    torch.testing.assert_close(samples[0].pred_score, expected[0].pred_score, rtol=0, atol=1e-5)
    assert num_norms(unwrap_model(runner.model)) == 0 < num_norms(model)
    hook.after_test_epoch(runner)
    assert runner.model is outer and unwrap_model(runner.model) is model


def test_an_evaluation_gives_the_metrics_of_the_network_itself(tmp_path: Path) -> None:
    make_coco(tmp_path / 'coco', 'val', CLASSES)
    cfg = small_config(num_encoder_layers=0, num_decoder_layers=1)
    cfg.test_dataloader.dataset.update(
        type='mmmsf.CocoMultiLabel',
        data_root=str(tmp_path / 'coco'),
        data_prefix='val2014',
        ann_file='annotations/instances_val2014.json',
        metainfo=dict(classes=CLASSES),
    )
    cfg.merge_from_dict(
        dict(
            custom_imports=dict(imports=['mmmsf']),
            test_cfg=dict(),
            test_evaluator=dict(type='mmmsf.MultiLabelMetric'),
        )
    )
    cfg.dump(tmp_path / 'c.py')
    write_checkpoint(tmp_path / 'x.pth', cfg)
    scores = {}
    for name, options in (
        ('fast', ()),
        ('plain', ('--no-fold', '--no-channels-last')),
        ('amp', ('--amp',)),
    ):
        out = f'{name}.npz'
        done = run_tool(tmp_path, 'test.py', 'c.py', 'x.pth', '--out', out, *options)
        assert done.returncode == 0, done.stderr
        scores[name] = torch.from_numpy(scores_of(tmp_path / out)).logit()
    torch.testing.assert_close(scores['fast'], scores['plain'], rtol=0, atol=1e-3)
    torch.testing.assert_close(scores['amp'], scores['plain'], rtol=0, atol=0.1)
    assert not torch.equal(scores['amp'], scores['plain'])


def scores_of(path: Path) -> Any:
    from mmmsf.evaluation import Predictions

    return Predictions.load(path).scores


def test_the_hook_follows_those_of_the_config() -> None:
    cfg = Config(dict(custom_hooks=[dict(type='mmmsf.ReportHook')]))
    launch.set_fast_forward(cfg, fold=False)
    assert [hook['type'] for hook in cfg.custom_hooks] == [
        'mmmsf.ReportHook',
        'mmmsf.FastForwardHook',
    ]
    assert cfg.custom_hooks[1]['fold'] is False
