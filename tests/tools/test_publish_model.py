"""tools/publish_model.py, and that all that loads weights reads what it writes."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from _publish import published, raw_weights
from mmengine.hooks import EMAHook
from torch.testing import assert_close

from mmmsf.apis import load_model
from mmmsf.checkpoint.files import read_checkpoint
from tests.helpers.small_checkpoint import CLASSES, write_checkpoint

from .test_tune_thresholds import make_data, run

METRICS = dict(mAP=50.0, CF1=None)
CALIBRATION = dict(slopes=[1.0] * 5, offsets=[0.0] * 5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what a training leaves: a checkpoint with an average, its figures."""
    path = write_checkpoint(
        tmp_path / 'epoch_2.pth',
        thresholds=[0.1, 0.2, 0.3, 0.4, 0.5],
        calibration=CALIBRATION,
        epoch=2,
        iter=6,
        hook_msgs=dict(x=1),
        experiment_name='secret',
    )
    found = read_checkpoint(path)
    raw = {f'module.{name}': value + 1 for name, value in found['state_dict'].items()}
    torch.save(
        {
            **found,
            'optimizer': dict(state={}),
            'message_hub': {},
            'param_schedulers': [],
            'ema_state_dict': dict(steps=torch.tensor(6), **raw),
        },
        path,
    )
    (tmp_path / 'val').mkdir()
    (tmp_path / 'val/metrics.json').write_text(json.dumps(METRICS))
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/epoch_2.pth')
    return tmp_path


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_what_is_kept(folder: Path, suffix: str) -> None:
    run(folder, 'publish_model.py', 'epoch_2.pth', f'new/p{suffix}')
    source, found = (read_checkpoint(folder / name) for name in ('epoch_2.pth', f'new/p{suffix}'))
    assert found.keys() == {'meta', 'state_dict'}
    assert found['meta'].keys() == {
        'calibration',
        'cfg',
        'dataset_meta',
        'epoch',
        'iter',
        'metrics',
        'mmmsf_version',
        'thresholds',
    }
    assert found['meta']['metrics'] == METRICS
    assert found['meta']['dataset_meta'] == dict(classes=list(CLASSES))
    assert_close(dict(found['state_dict']), dict(source['state_dict']), rtol=0, atol=0)
    loaded = load_model(folder / f'new/p{suffix}', device='cpu')
    assert loaded.classes == CLASSES and loaded.calibrated
    assert loaded.thresholds.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_raw_weights_come_without_figures_of_the_average(folder: Path) -> None:
    run(folder, 'publish_model.py', 'epoch_2.pth', 'p.pth', '--raw-weights')
    source, found = (read_checkpoint(folder / name) for name in ('epoch_2.pth', 'p.pth'))
    assert_close(
        found['state_dict'],
        {name: value + 1 for name, value in source['state_dict'].items()},
        rtol=0,
        atol=0,
    )
    assert not {'metrics', 'thresholds', 'calibration'} & found['meta'].keys()


def test_metrics_of_another_checkpoint_are_not_taken(folder: Path) -> None:
    (folder / 'last_checkpoint').write_text('epoch_3.pth')
    run(folder, 'publish_model.py', 'epoch_2.pth', 'p.pth')
    assert 'metrics' not in read_checkpoint(folder / 'p.pth')['meta']
    run(folder, 'publish_model.py', 'epoch_2.pth', 'p.pth', '--metrics', 'val/metrics.json')
    assert read_checkpoint(folder / 'p.pth')['meta']['metrics'] == METRICS


def test_hash_in_the_name(folder: Path) -> None:
    run(folder, 'publish_model.py', 'epoch_2.pth', 'p.safetensors', '--hash')
    (path,) = folder.glob('p*.safetensors')
    assert path.stem == 'p-' + hashlib.sha256(path.read_bytes()).hexdigest()[:8]


def test_refusals(folder: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple:
            return exec, ('raise SystemExit("owned")',)

    torch.save(dict(state_dict={}, attack=Attack()), folder / 'hostile.pth')
    out = run(folder, 'publish_model.py', 'hostile.pth', 'p.pth', code=1)
    assert 'nothing written: hostile.pth' in out and 'owned' not in out
    for arguments, message in (
        (('epoch_2.pth', 'p.onnx'), 'OUT must end in'),
        (('epoch_2.pth', 'val/../epoch_2.pth'), 'must be two files'),
    ):
        assert message in run(folder, 'publish_model.py', *arguments, code=2)
    with pytest.raises(ValueError, match='kept no average'):
        published(dict(meta={}, state_dict=dict(a=torch.ones(1))), raw=True)
    assert not list(folder.glob('p*'))


def test_mmengine_swaps_the_two_sets_when_it_saves() -> None:
    """The rule that ``raw_weights`` stands on."""
    hook, model = EMAHook(), torch.nn.Linear(2, 2)
    hook.before_run(type('Runner', (), dict(model=model)))
    with torch.no_grad():
        model.weight += 1  # the average still has the old weights
    checkpoint = dict(state_dict=model.state_dict())
    hook.before_save_checkpoint(None, checkpoint)
    assert_close(checkpoint['state_dict']['weight'], model.weight.detach() - 1)
    assert_close(raw_weights(checkpoint)['weight'], model.weight.detach())


@pytest.mark.slow
def test_testing_reads_it(folder: Path) -> None:
    make_data(folder)
    run(folder, 'publish_model.py', 'epoch_2.pth', 'p.safetensors')
    for name, out in (('epoch_2.pth', 'a'), ('p.safetensors', 'b')):
        run(folder, 'test.py', 'c.py', name, '--thresholds', '--work-dir', out)
    one, two = (json.loads((folder / out / 'test/metrics.json').read_text()) for out in 'ab')
    assert one == two and 'CF1_tuned' in one
