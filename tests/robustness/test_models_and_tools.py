"""Checkpoints, thresholds, configs and outputs that do not fit, through the tools."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmmsf.apis import MultiLabelInferencer, load_model
from tests.helpers.run_tool import run_tool
from tests.helpers.small_checkpoint import CLASSES, small_config, write_checkpoint
from tests.helpers.small_predictions import make_predictions
from tests.helpers.small_training import make_training_data


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, config c.py, predictions p.npz, checkpoint good.pth and many that are not."""
    folder = tmp_path_factory.mktemp('bad')
    cfg = make_training_data(folder, 1, custom_hooks=[dict(type='mmmsf.ClassCheckHook')])
    make_predictions(folder / 'p.npz')
    good = torch.load(write_checkpoint(folder / 'good.pth', cfg), weights_only=True)

    def save(name: str, **changes: Any) -> None:
        torch.save({**good, **changes}, folder / name)

    meta = good['meta']
    whole = (folder / 'good.pth').read_bytes()
    (folder / 'cut.pth').write_bytes(whole[: len(whole) // 2])
    (folder / 'empty.pth').touch()
    (folder / 'text.pth').write_text('not a checkpoint')
    (folder / 'folder.pth').mkdir()
    torch.save([1, 2], folder / 'list.pth')
    torch.save(dict(epoch=3), folder / 'numbers.pth')
    save('other_classes.pth', meta=dict(meta, dataset_meta=dict(classes=tuple('vwxyz'))))
    save('order.pth', meta=dict(meta, dataset_meta=dict(classes=CLASSES[::-1])))
    save('three_names.pth', meta=dict(meta, dataset_meta=dict(classes=CLASSES[:3])))
    save('no_config.pth', meta={})
    save('nan_thresholds.pth', meta=dict(meta, thresholds=[0.5, np.nan, 0.5, 0.5, 0.5]))
    save('text_thresholds.pth', meta=dict(meta, thresholds='high'))
    save('few_thresholds.pth', meta=dict(meta, thresholds=[0.5, 0.5]))
    write_checkpoint(folder / 'wide.pth', small_config(embed_dims=16, feedforward_channels=32))
    state = dict(good['state_dict'])
    state.pop('head.fc.weight')
    save('lacks_one.pth', state_dict=state)

    def config(name: str, edit: Callable[[Any], object]) -> None:
        other: Any = Config.fromfile(folder / 'c.py')
        edit(other)
        other.dump(folder / name)

    config('no_model.py', lambda c: c.pop('model'))
    config('three.py', lambda c: c.model.head.update(num_classes=3))
    config('no_table.py', lambda c: c.test_dataloader.dataset.update(ann_file='none.csv'))
    config(
        'bad_step.py',
        lambda c: c.test_dataloader.dataset.pipeline.insert(
            1, dict(type='CenterCrop', crop_size=32)
        ),
    )
    for split in ('train', 'val', 'test'):
        config(
            f'{split}_table.py',
            lambda c, split=split: c[f'{split}_dataloader'].dataset.update(
                ann_file=str(folder / 'bad.csv')
            ),
        )
    (folder / 'bad.csv').write_text('path,labels\n0.png,cat;;dog\n')
    (folder / 'syntax.py').write_text('model = dict(\n')
    (folder / 'name.py').write_text('model = resnet\n')
    (folder / 'base.py').write_text("_base_ = 'nowhere.py'\n")
    (folder / 'config.txt').write_text('model = 1\n')
    (folder / 'file').touch()
    (folder / 'no_images').mkdir()
    for name, change in dict(short=dict(scores=np.zeros((2, 5), np.float32)), lacks=None).items():
        arrays = dict(np.load(folder / 'p.npz'))
        arrays = {**arrays, **change} if change else {'scores': arrays['scores']}
        np.savez(folder / f'{name}.npz', **arrays)
    (folder / 'cut.npz').write_bytes((folder / 'p.npz').read_bytes()[:100])
    return folder


UNREADABLE = 'cannot be read as a checkpoint: it is corrupt'
CHECKPOINTS = {
    'none.pth': 'there is no checkpoint none.pth',
    'folder.pth': 'there is no checkpoint folder.pth',
    'cut.pth': f'cut.pth {UNREADABLE}',
    'empty.pth': f'empty.pth {UNREADABLE}',
    'text.pth': f'text.pth {UNREADABLE}',
    'list.pth': 'list.pth holds a list, not a checkpoint',
    'numbers.pth': 'numbers.pth holds no weights; these entries are no tensors: epoch',
    'wide.pth': r'weights of wide.pth do not fit the config; .*other shape: .*\(32, 16\) in the',
    'lacks_one.pth': 'weights of lacks_one.pth do not fit the config; missing: head.fc.weight',
}


@pytest.mark.parametrize('name', CHECKPOINTS)
@pytest.mark.parametrize('tool', ['test.py', 'predict.py', 'deployment/export_onnx.py'])
def test_checkpoints_that_cannot_be_used(folder: Path, tool: str, name: str) -> None:
    arguments = {
        'test.py': ('c.py', name, '--work-dir', 'runs'),
        'predict.py': ('c.py', name, '0.png', '--out-dir', 'out'),
        'deployment/export_onnx.py': ('c.py', name, '--out', 'out.onnx'),
    }[tool]
    done = run_tool(folder, tool, *arguments)
    assert done.returncode == 1
    assert re.search(CHECKPOINTS[name], done.stderr), done.stderr
    assert not (folder / 'out').exists() and not (folder / 'out.onnx').exists()


# Tool and arguments -> message
RUNS: list[tuple[str, str]] = [
    # testing
    (
        'test.py c.py other_classes.pth --work-dir runs',
        r"classes of other_classes.pth and of the test set differ: \['cat', 'cup'",
    ),
    (
        'test.py c.py order.pth --work-dir runs',
        'order.pth and of the test set differ: the same names in another order',
    ),
    ('test.py c.py good.pth --thresholds', '--thresholds: good.pth carries no thresholds; make'),
    ('test.py c.py nan_thresholds.pth --thresholds', 'in nan_thresholds.pth must be .* finite'),
    ('test.py c.py text_thresholds.pth --thresholds', "in text_thresholds.pth must be .*'high'"),
    (
        'test.py c.py few_thresholds.pth --thresholds --work-dir runs',
        'the checkpoint has 2 thresholds, the model 5 classes',
    ),
    ('test.py none.py good.pth', 'there is no config none.py'),
    ('test.py syntax.py good.pth', r'syntax.py cannot be read as a config \(SyntaxError'),
    ('test.py name.py good.pth', r"name.py cannot be read as a config \(NameError.*'resnet'"),
    ('test.py base.py good.pth', 'base.py cannot be read as a config .*nowhere.py'),
    ('test.py config.txt good.pth', 'config.txt cannot be read as a config'),
    ('test.py c.py good.pth --out x.csv', '--out must end in one of .npz, .pkl, .json'),
    ('test.py c.py good.pth --out file/x.npz --work-dir runs', 'file/x.npz'),
    # prediction
    ('predict.py good.pth no_images --out-dir out', 'the folder no_images holds no image'),
    ('predict.py good.pth *.webp --out-dir out', r'no file matches the pattern \*.webp'),
    ('predict.py good.pth 0.png --out-dir file/out', 'predict.py: .*file/out'),
    ('predict.py no_config.pth 0.png --out-dir out', 'no_config.pth carries no config; name one'),
    ('predict.py no_model.py good.pth 0.png --out-dir out', 'has no `model`'),
    ('predict.py three.py good.pth 0.png --out-dir out', 'other shape: .*in the file'),
    ('predict.py three_names.pth 0.png --out-dir out', 'names 3 classes, its model has 5'),
    ('predict.py nan_thresholds.pth 0.png --out-dir out', 'thresholds .* must be 5 finite numbers'),
    ('predict.py text_thresholds.pth 0.png --out-dir out', "must be numbers, got 'high'"),
    ('predict.py good.pth 0.png --out-dir out --thr nan', '`thresholds` must be finite numbers'),
    # export
    ('deployment/export_onnx.py c.py good.pth --out file/x.onnx', 'nothing written: .*file'),
    ('deployment/export_onnx.py bad_step.py good.pth --out out.onnx', 'step .*CenterCrop.*only'),
    ('deployment/export_onnx.py no_table.py good.pth --out out.onnx', 'none.csv: no such table'),
    ('deployment/export_onnx.py c.py good.pth --out out.onnx --image c.py', 'c.py: not an image'),
    ('deployment/export_onnx.py none.py good.pth --out out.onnx', 'there is no config none.py'),
    ('deployment/quantize_onnx.py text.pth c.py --out out.onnx', 'text.pth is not an ONNX model'),
    # conversion, publication, thresholds, tables
    ('converters/tbaln_to_mmmsf.py cut.pth out.pth', f'cut.pth {UNREADABLE}'),
    ('converters/tbaln_to_mmmsf.py good.pth out.pth', r'good.pth: `fc.b` must have shape'),
    (
        'converters/tbaln_to_mmmsf.py list.pth out.pth',
        'list.pth: the checkpoint must be a non-empty mapping.*got list',
    ),
    ('publish_model.py cut.pth out.pth', f'nothing written: .*cut.pth {UNREADABLE}'),
    ('publish_model.py good.pth file/out.pth', 'nothing written: .*file'),
    ('publish_model.py good.pth out.pth --metrics text.pth', 'text.pth is not JSON'),
    ('publish_model.py good.pth out.pth --raw-weights', 'kept no average of the weights'),
    ('analysis/tune_thresholds.py none.npz', 'none.npz'),
    ('analysis/tune_thresholds.py lacks.npz', 'lacks.npz is not a predictions file .* no names'),
    (
        'analysis/tune_thresholds.py p.npz --checkpoint order.pth --out out.pth',
        'order.pth and of the predictions differ: the same names in another order',
    ),
    ('analysis/report.py p.npz --attention-checkpoint order.pth', 'order.pth has other classes'),
    ('analysis/report.py text.pth', 'text.pth is not a predictions file'),
    # data
    (
        'data/check_data.py test_table.py',
        r'the test set of test_table.py: .*bad.csv: line 2: a label is empty',
    ),
    ('data/check_data.py config.txt', 'config.txt cannot be read as a config'),
    (
        'data/browse_dataset.py train_table.py --out-dir out',
        r'bad.csv: line 2: a label is empty',
    ),
    ('submission/voc12.py p.npz --ids none.txt --out out.tar.gz', 'none.txt: no such image set'),
    ('submission/voc12.py p.npz --ids file --out out.tar.gz', 'file: lists no image'),
]


@pytest.mark.parametrize(('command', 'message'), RUNS, ids=[command for command, _ in RUNS])
def test_tools_end_with_one_line(folder: Path, command: str, message: str) -> None:
    tool, *arguments = command.split()
    done = run_tool(folder, tool, *arguments)
    assert done.returncode in (1, 2)
    assert re.search(message, done.stderr), done.stderr
    assert 'Traceback' not in done.stderr
    assert not [path for path in folder.iterdir() if path.name.startswith('out')]


TRAININGS = [
    ('three.py', r'num_classes=3, but the training dataset .* has 5 classes; set'),
    ('train_table.py', r'bad\.csv: line 2: a label is empty'),
    ('val_table.py', r'bad\.csv: line 2: a label is empty'),
]


@pytest.mark.parametrize(('config', 'message'), TRAININGS)
def test_training_does_not_start(
    folder: Path, config: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    with pytest.raises(ValueError, match=message):
        run_tool(folder, 'train.py', config, '--work-dir', 'runs')


def test_an_unreadable_image_among_good_ones(folder: Path) -> None:
    (folder / 'mixed').mkdir()
    for name in ('0.png', '1.png'):
        (folder / 'mixed' / name).write_bytes((folder / name).read_bytes())
    (folder / 'mixed/bad.png').write_text('no image')
    done = run_tool(folder, 'predict.py', 'good.pth', 'mixed', '--out-dir', 'done')
    assert done.returncode == 1
    assert 'not labelled: mixed/bad.png: not an image' in done.stderr
    lines = [json.loads(line) for line in (folder / 'done/predictions.jsonl').open()]
    assert ['error' in line for line in lines] == [False, False, True]


@pytest.mark.parametrize(
    ('thresholds', 'message'),
    [
        (dict(unicorn=0.5), r"names classes that the model lacks: \['unicorn'\]"),
        ([0.5, 0.5], r'5 numbers or a dict from class names, got shape \(2,\)'),
        (dict(cat=float('nan')), 'must be finite numbers'),
        ('high', 'must be one number, 5 numbers or a dict'),
        (dict(cat='high'), 'must be one number, 5 numbers or a dict'),
        ([[0.5], [0.5, 0.5]], 'must be one number, 5 numbers or a dict'),
    ],
)
def test_thresholds_of_the_caller(folder: Path, thresholds: Any, message: str) -> None:
    loaded = load_model(folder / 'good.pth', device='cpu')
    with pytest.raises(ValueError, match=message):
        MultiLabelInferencer(loaded, thresholds=thresholds)


@pytest.mark.parametrize(
    ('arguments', 'host'), [((), '127.0.0.1'), (('--host', '0.0.0.0'), '0.0.0.0')]
)
def test_the_demo_serves_this_machine_and_limits_uploads(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], host: str
) -> None:
    gradio = pytest.importorskip('gradio')
    seen: dict[str, Any] = {}
    monkeypatch.setattr(gradio.Blocks, 'launch', lambda _, **options: seen.update(options))
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    done = run_tool(folder, 'demo/demo.py', 'good.pth', '--device', 'cpu', *arguments)
    assert done.returncode == 0, done.stderr
    assert seen['server_name'] == host
    assert seen['max_file_size'] == '20mb'
    assert seen['share'] is False
