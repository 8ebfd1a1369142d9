"""A checkpoint that runs code when it is loaded is refused by every reader.

Our interfaces are safe by themselves: neither ``TORCH_FORCE_WEIGHTS_ONLY_LOAD`` is set nor
``secure_checkpoint_loading`` called. MMEngine's are safe after that call.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mmengine.runner.checkpoint as framework
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner

from mmmsf.apis import MultiLabelInferencer, load_model
from mmmsf.checkpoint import build_model, secure_checkpoint_loading
from mmmsf.checkpoint.calibration import store_calibration
from mmmsf.checkpoint.files import read_checkpoint, read_file
from mmmsf.checkpoint.thresholds import read_thresholds, store_thresholds
from mmmsf.models.heads.calibration import Calibration
from tests.helpers.run_tool import TOOLS, run_tool
from tests.helpers.small_checkpoint import CLASSES, small_config, write_checkpoint
from tests.helpers.small_predictions import make_predictions
from tests.helpers.small_training import make_training_data

REFUSED = 'cannot be read as a checkpoint: .* never loaded'


class _Mkdir:
    """Makes the folder ``owned`` when it is unpickled."""

    def __reduce__(self) -> tuple:
        return Path.mkdir, (Path('owned'),)


class _Exec:
    def __reduce__(self) -> tuple:
        return exec, ("import os; os.mkdir('owned')",)


class _Globals:
    """Reaches a module's globals with nothing but ``getattr``, which MMEngine admits."""

    def __reduce__(self) -> tuple:
        return getattr, (HistoryBuffer.update, '__globals__')


ATTACKS = dict(mkdir=_Mkdir, exec=_Exec)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, a config c.py, predictions p.npz, and whole checkpoints with an attack each."""
    folder = tmp_path_factory.mktemp('hostile')
    cfg = make_training_data(folder, 2)
    make_predictions(folder / 'p.npz')
    sound = torch.load(write_checkpoint(folder / 'sound.pth', cfg, epoch=1, iter=3))
    for name, attack in ATTACKS.items():
        torch.save(dict(sound, attack=attack()), folder / f'{name}.pth')
        sound['meta']['thresholds'] = [0.5] * len(CLASSES)
    return folder


@pytest.fixture(autouse=True)
def _bare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', raising=False)
    monkeypatch.chdir(folder)
    yield
    assert not (folder / 'owned').exists()


def test_the_attacks_work_where_nothing_stops_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ATTACKS:
        torch.load(folder / f'{name}.pth', weights_only=False)
        (tmp_path / 'owned').rmdir()


def _runner(path: str, resume: bool) -> None:
    class Model(BaseModel):
        def forward(self, *_: Any, **__: Any) -> Any:
            raise AssertionError('nothing runs here')

    runner = Runner(
        Model(),
        work_dir='runs',
        load_from=path,
        resume=resume,
        train_dataloader={},
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper={},
    )
    runner.load_or_resume()


def _init_cfg(path: str, **extra: Any) -> None:
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        MODELS.build(
            dict(
                type='ResNet', depth=18, init_cfg=dict(type='Pretrained', checkpoint=path, **extra)
            )
        ).init_weights()


def _timm(path: str) -> None:
    MODELS.build(dict(type='mmpretrain.TIMMBackbone', model_name='resnet10t', checkpoint_path=path))


OURS: dict[str, Callable[[str], object]] = dict(
    read_file=read_file,
    read_checkpoint=read_checkpoint,
    load_model=lambda path: load_model(path, device='cpu'),
    load_model_with_config=lambda path: load_model(path, 'c.py', 'cpu'),
    inferencer=lambda path: MultiLabelInferencer(pretrained=path),
    inferencer_with_config=lambda path: MultiLabelInferencer('c.py', path, 'cpu'),
    inferencer_of_mmpretrain=lambda path: MultiLabelInferencer('resnet18_8xb32_in1k', path, 'cpu'),
    read_thresholds=read_thresholds,
    store_thresholds=lambda path: store_thresholds(path, 'out.pth', [0.5] * 5, CLASSES),
    store_calibration=lambda path: store_calibration(
        path, 'out.pth', Calibration(np.ones(5), np.zeros(5)), CLASSES
    ),
)
FRAMEWORKS: dict[str, Callable[[str], object]] = dict(
    load_from=lambda path: _runner(path, resume=False),
    resume=lambda path: _runner(path, resume=True),
    init_cfg=_init_cfg,
    init_cfg_prefix=lambda path: _init_cfg(path, prefix='backbone.'),
    load_checkpoint=lambda path: framework.load_checkpoint(torch.nn.Linear(1, 1), path),
)


@pytest.mark.parametrize('attack', ATTACKS)
@pytest.mark.parametrize('name', [*OURS, *FRAMEWORKS])
def test_every_interface_refuses(name: str, attack: str) -> None:
    if name in FRAMEWORKS:
        secure_checkpoint_loading()
    with pytest.raises(ValueError, match=rf'{attack}\.pth {REFUSED}'):
        {**OURS, **FRAMEWORKS}[name](f'{attack}.pth')
    assert not Path('out.pth').exists()


@pytest.mark.parametrize('name', OURS)
def test_ours_leave_the_loaders_as_they_were(name: str) -> None:
    before = framework.CheckpointLoader._schemes
    with pytest.raises(ValueError, match=REFUSED):
        OURS[name]('mkdir.pth')
    assert framework.CheckpointLoader._schemes is before


def test_building_a_model_reads_no_code(folder: Path) -> None:
    """A backbone that loads weights of its own when it is built, by an argument of any name."""

    @MODELS.register_module(force=True)
    class OwnWeights(BaseModel):
        def __init__(self, weights: str) -> None:
            super().__init__()
            framework.load_checkpoint(torch.nn.Linear(1, 1), weights)

        def forward(self, *_: Any, **__: Any) -> Any:
            raise AssertionError('nothing runs here')

    with pytest.raises(ValueError, match=rf'mkdir\.pth {REFUSED}'):
        build_model(Config(dict(model=dict(type='mmengine.OwnWeights', weights='mkdir.pth'))))


@pytest.mark.parametrize('attack', ATTACKS)
def test_timm_refuses(attack: str) -> None:
    pytest.importorskip('timm')
    with pytest.raises(Exception, match='weights_only'):
        _timm(f'{attack}.pth')


def test_a_getattr_chain_gets_nothing() -> None:
    secure_checkpoint_loading()
    torch.save(dict(state_dict={}, attack=_Globals()), 'getattr.pth')
    with pytest.raises(ValueError, match=REFUSED):
        framework.CheckpointLoader.load_checkpoint('getattr.pth')


@pytest.mark.parametrize('scheme', ['https://', 'openmmlab://', 's3://', 'pavi://'])
def test_what_is_fetched_is_refused_as_well(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    secure_checkpoint_loading()
    loader = framework.CheckpointLoader._get_checkpoint_loader(scheme + 'x')
    inner = getattr(loader, '__wrapped__', None)
    assert inner is not None, f'{scheme} is not guarded'
    if scheme == 'https://':  # the others end in the same two functions
        monkeypatch.setattr(
            framework, 'load_url', lambda *_, **__: torch.load('mkdir.pth', weights_only=False)
        )
        with pytest.raises(ValueError, match=rf'https://x {REFUSED}'):
            framework.CheckpointLoader.load_checkpoint('https://x')


def test_valid_files_still_load_everywhere() -> None:
    for name in ('read_checkpoint', 'load_model', 'inferencer'):
        OURS[name]('sound.pth')
    secure_checkpoint_loading()
    FRAMEWORKS['load_checkpoint']('sound.pth')


# Tool -> arguments; BAD stands for the hostile checkpoint, and OUT must not come to be.
COMMANDS: dict[str, tuple[str, ...]] = {
    'train.py': ('c.py', '--work-dir', 'OUT', '--resume', 'BAD'),
    'test.py': ('c.py', 'BAD', '--work-dir', 'runs', '--out', 'OUT.npz'),
    'predict.py': ('BAD', '0.png', '--out-dir', 'OUT'),
    'publish_model.py': ('BAD', 'OUT.pth'),
    'demo/demo.py': ('BAD',),
    'analysis/report.py': ('p.npz', '--attention-checkpoint', 'BAD', '--out', 'OUT.html'),
    'analysis/select_images.py': ('BAD', '.', '--count', '1', '--out', 'OUT.txt'),
    'analysis/tune_thresholds.py': ('p.npz', '--checkpoint', 'BAD', '--out', 'OUT.pth'),
    'deployment/export_onnx.py': ('c.py', 'BAD', '--out', 'OUT.onnx', '--no-check'),
    'converters/tbaln_to_mmmsf.py': ('BAD', 'OUT.pth'),
    'converters/efficientnet_lite_to_mmpretrain.py': ('OUT.pth', '--src', 'BAD'),
}
# They read one through MultiLabelInferencer or load_model, tested above, after long preparations.
INDIRECT = {'analysis/pointing_game.py'}
READERS = re.compile(
    r'load_model\(|read_checkpoint\(|read_file\(|MultiLabelInferencer\(|load_from|'
    r'store_thresholds\(|set_resume\(|torch\.load'
)


def test_no_tool_is_forgotten() -> None:
    """A helper with a leading underscore is covered by a tool of its folder."""
    covered = {*COMMANDS, *INDIRECT}
    folders = {Path(tool).parent for tool in COMMANDS}
    found = [
        path.relative_to(TOOLS)
        for path in TOOLS.rglob('*.py')
        if READERS.search(path.read_text(encoding='utf-8'))
    ]
    assert found
    for path in found:
        assert path.parent in folders if path.name[0] == '_' else str(path) in covered, path


@pytest.mark.parametrize('tool', COMMANDS)
def test_every_tool_refuses(folder: Path, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')  # as `harden` does; undone afterwards
    arguments = ['mkdir.pth' if word == 'BAD' else word for word in COMMANDS[tool]]
    before = {path.name for path in folder.iterdir()}
    try:
        done = run_tool(folder, tool, *arguments)
        message, code = done.stderr, done.returncode
    except ValueError as error:
        message, code = str(error), 1
    assert code == 1
    assert 'mkdir.pth' in message
    assert re.search('never loaded|Weights only load failed', message), message
    made = {path.name for path in folder.iterdir()} - before
    assert not [name for name in made if name.startswith('OUT') and name != 'OUT'], made
    assert not list((folder / 'OUT').glob('*.pth')) and not (folder / 'owned').exists()


def test_predictions_with_pickles_are_refused(folder: Path) -> None:
    np.savez(
        folder / 'bad.npz',
        **{
            name: np.array([_Mkdir()], dtype=object)
            for name in ('names', 'classes', 'scores', 'targets', 'sizes')
        },
    )
    for tool, *arguments in (
        ('analysis/report.py', 'bad.npz'),
        ('analysis/tune_thresholds.py', 'bad.npz'),
        ('analysis/compare.py', 'bad.npz', 'bad.npz'),
        ('submission/voc12.py', 'bad.npz', '--ids', 'ids.txt', '--out', 'x.tar.gz'),
    ):
        (folder / 'ids.txt').write_text('2012_000001\n')
        done = run_tool(folder, tool, *arguments)
        assert done.returncode == 1
        assert 'bad.npz is not a predictions file' in done.stderr


def test_the_config_in_a_checkpoint_is_data(folder: Path, tmp_path: Path) -> None:
    for text in (
        "__import__('os').mkdir('owned')",
        "model = dict(type='os.mkdir', name='owned')",
        "custom_imports = dict(imports=['antigravity'])\nmodel = dict(type='exec')",
    ):
        found = torch.load(folder / 'sound.pth')
        torch.save(dict(found, meta=dict(found['meta'], cfg=text)), tmp_path / 'x.pth')
        with pytest.raises(ValueError, match='the config in .*x.pth: '):
            load_model(tmp_path / 'x.pth')
    assert small_config().model.type == 'ImageClassifier'
