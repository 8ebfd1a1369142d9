"""Checkpoints of earlier releases load and give the scores of their release.

``tests/golden/make_golden.py`` stores the files of a release.
"""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from _publish import raw_weights
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.testing import assert_close

from mmmsf import MultiLabelInferencer
from mmmsf.apis import load_model
from mmmsf.checkpoint import secure_checkpoint_loading
from mmmsf.checkpoint.config_text import config_from_text
from mmmsf.checkpoint.files import read_checkpoint, write_checkpoint
from mmmsf.engine import launch

from .golden.make_golden import FILES, MAX_BYTES, write_data
from .helpers.run_tool import run_tool

RELEASES = sorted(path.parent for path in Path(__file__).parent.glob('golden/*/scores.json'))
GOLDEN = [
    pytest.param(release / name, id=f'{release.name}/{name}')
    for release in RELEASES
    for name in FILES
]
TRAININGS = [pytest.param(release / FILES[0], id=release.name) for release in RELEASES]
TOLERANCE = dict(rtol=0, atol=1e-5)


def recorded(path: Path, key: str = 'scores') -> dict[str, float]:
    """Read what the release recorded: class name -> score of ``image.png``, or threshold."""
    return json.loads((path.parent / 'scores.json').read_text())[key]


def image_of(path: Path) -> str:
    return str(path.parent / 'image.png')


def runner_of(path: Path, folder: Path, resume: bool) -> Runner:
    """Start or resume from a checkpoint with the config that it carries, as a script would."""
    secure_checkpoint_loading()
    cfg: Config = config_from_text(read_checkpoint(path)['meta']['cfg'])
    write_data(folder / 'data')
    for loader in launch.DATALOADERS:
        cfg[loader].dataset.data_root = str(folder / 'data')
    cfg.work_dir, cfg.experiment_name = str(folder / 'run'), str(folder)
    cfg.load_from = str(path)
    if resume:
        launch.set_resume(cfg, str(path))
    launch.set_dataloader_defaults(cfg)
    launch.set_train_loop(cfg)
    return launch.build_runner(cfg)


def test_every_release_left_all_its_files() -> None:
    assert RELEASES
    for release in RELEASES:
        assert {path.name for path in release.iterdir()} == {*FILES, 'image.png', 'scores.json'}
        assert max(path.stat().st_size for path in release.iterdir()) <= MAX_BYTES


@pytest.mark.parametrize('path', GOLDEN)
def test_load_model_and_inferencer(path: Path) -> None:
    found = load_model(path, device='cpu')
    assert found.classes == tuple(recorded(path))
    assert found.thresholds.tolist() == pytest.approx([*recorded(path, 'thresholds').values()])
    assert 0.5 not in found.thresholds  # tuned
    inferencer = MultiLabelInferencer(pretrained=path, device='cpu')
    (result,) = inferencer(image_of(path), return_scores=True, show_progress=False)
    assert_close(
        torch.as_tensor(result['all_scores']), torch.tensor([*recorded(path).values()]), **TOLERANCE
    )


@pytest.mark.parametrize('path', GOLDEN)
def test_predict_tool(path: Path, tmp_path: Path) -> None:
    done = run_tool(
        tmp_path, 'predict.py', str(path), image_of(path), '--out-dir', 'out', '--device', 'cpu'
    )
    assert done.returncode == 0, done.stderr
    line = json.loads((tmp_path / 'out/predictions.jsonl').read_text())
    thresholds = recorded(path, 'thresholds')
    wanted = {name: score for name, score in recorded(path).items() if score >= thresholds[name]}
    assert wanted
    assert dict(zip(line['labels'], line['scores'], strict=True)) == pytest.approx(
        wanted, rel=0, abs=1e-5
    )


class Scores(Hook):
    """Keep the scores of a test."""

    def __init__(self) -> None:
        self.found: list[torch.Tensor] = []

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.found += [sample.pred_score.cpu() for sample in outputs]


@pytest.mark.parametrize('path', GOLDEN)
def test_load_from(path: Path, tmp_path: Path) -> None:
    runner, scores = runner_of(path, tmp_path, resume=False), Scores()
    shutil.copy(image_of(path), tmp_path / 'data')
    (tmp_path / 'data/val.csv').write_text(f'path,labels\nimage.png,{";".join(recorded(path))}\n')
    runner.register_hook(scores)
    runner.test()
    assert_close(scores.found, [torch.tensor([*recorded(path).values()])], **TOLERANCE)


@pytest.mark.parametrize('path', TRAININGS)
def test_both_sets_of_weights_are_there(path: Path, tmp_path: Path) -> None:
    found = read_checkpoint(path)
    raw = raw_weights(found)
    assert any(not torch.equal(raw[name], value) for name, value in found['state_dict'].items())
    write_checkpoint(tmp_path / 'raw.pth', {**found, 'state_dict': raw})
    loaded = load_model(tmp_path / 'raw.pth', device='cpu')
    assert_close(dict(loaded.model.state_dict()), raw, rtol=0, atol=0)


class Beginning(Hook):
    """Keep the state of the optimizer and the losses at the start of a run."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}

    def before_train_epoch(self, runner: Runner) -> None:
        if not self.seen:
            self.seen = dict(
                epoch=runner.epoch,
                iter=runner.iter,
                losses=losses(runner),
                optimizer=copy.deepcopy(runner.optim_wrapper.state_dict()),
            )


def losses(runner: Runner) -> list[float]:
    return runner.message_hub.get_scalar('train/loss').data[0].tolist()


@pytest.mark.parametrize('path', TRAININGS)
def test_training_goes_on(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    stored, beginning = read_checkpoint(path), Beginning()
    runner = runner_of(path, tmp_path, resume=True)
    runner.register_hook(beginning)
    runner.train()
    seen, done = beginning.seen, stored['meta']['iter']
    assert (seen['epoch'], seen['iter']) == (stored['meta']['epoch'], done)
    assert seen['losses'] == stored['message_hub']['log_scalars']['train/loss'].data[0].tolist()
    assert len(seen['losses']) == done
    assert stored['optimizer']['state']
    assert_close(seen['optimizer']['state'], stored['optimizer']['state'], rtol=0, atol=0)
    assert (runner.epoch, runner.iter) == (4, 2 * done)
    assert losses(runner)[:done] == seen['losses'] and len(losses(runner)) == 2 * done
    assert read_checkpoint(tmp_path / 'run/epoch_4.pth')['meta']['iter'] == 2 * done


def test_weights_of_another_layout_are_named(tmp_path: Path) -> None:
    found = read_checkpoint(RELEASES[-1] / FILES[1])
    state = dict(found['state_dict'])
    state['head.old_embed'] = state.pop('head.label_embed')
    write_checkpoint(tmp_path / 'old.pth', {**found, 'state_dict': state})
    with pytest.raises(
        ValueError,
        match=r'old\.pth do not fit the config; missing: '
        r'head\.label_embed; left over: head\.old_embed',
    ):
        load_model(tmp_path / 'old.pth', device='cpu')


def test_a_release_is_never_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    from .golden import make_golden

    monkeypatch.setattr(make_golden, 'read_version', lambda: RELEASES[-1].name)
    with pytest.raises(SystemExit, match='is never written anew'):
        make_golden.main()
