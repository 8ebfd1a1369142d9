"""The tool that ranks labels and the one that corrects them, with stand-ins for the trainings."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _fold_sweep
import _folds
import _sweep
import numpy as np
import pytest
from mmengine.config import Config

from mmmsf.evaluation import Predictions
from tests.helpers.colour_training import make_colour_training
from tests.helpers.run_tool import run_tool
from tests.helpers.small_training import make_training_data

TRAIN = """
import json, sys
from pathlib import Path

folder = Path(sys.argv[1]).parent
with open(folder.parents[1] / 'order.txt', 'a') as file:
    print('train', folder.parent.name, file=file)
(folder / 'val').mkdir(exist_ok=True)
(folder / 'val/metrics.json').write_text(json.dumps(dict(mAP=90)))
(folder / '0/vis_data').mkdir(parents=True, exist_ok=True)
scalars = dict(loss=1.0, epoch=1, iter=10, time=0.5)
(folder / '0/vis_data/scalars.json').write_text(json.dumps(scalars))
"""
TEST = """
import sys
from pathlib import Path

import numpy as np

config, checkpoint = Path(sys.argv[1]), Path(sys.argv[2])
out = Path(sys.argv[sys.argv.index('--out') + 1])
root, fold = config.parents[2], config.parents[1].name
if (root / 'fail').exists() and fold == 'fold1':
    raise SystemExit('no memory')
with open(root / 'order.txt', 'a') as file:
    print('test', fold, file=file)
held = [int(x) for x in (root / f'{fold}_held.txt').read_text().split()]
data = np.load(root.parent / 'all.npz')
np.savez(out, classes=data['classes'], **{
    key: data[key][held] for key in ('names', 'scores', 'targets', 'sizes')
})
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A config and a finished run in ``w``, whose second fold failed in the first call."""
    folder = tmp_path_factory.mktemp('errors')
    cfg = make_training_data(folder, epochs=1)
    dataset = _folds.read_training_data(cfg)
    targets = dataset.get_gt_labels().astype(np.int8)
    scores = np.where(targets == 1, 0.8, 0.2).astype(np.float32)
    scores[1, 0], scores[3, np.flatnonzero(targets[3])[0]] = 0.99, 0.02
    names = np.array([dataset.get_data_info(i)['img_path'] for i in range(len(dataset))])
    classes = np.array(dataset.metainfo['classes'])
    Predictions(names, classes, scores, targets, np.zeros_like(targets)).save(folder / 'all.npz')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_fold_sweep.FoldSweep, 'checkpoint', lambda *args: Path('epoch_1.pth'))
        for module, name, text in ((_sweep, 'TRAIN', TRAIN), (_fold_sweep, 'TEST', TEST)):
            (folder / f'{name.lower()}.py').write_text(text)
            patch.setattr(module, name, folder / f'{name.lower()}.py')
        (folder / 'w').mkdir()
        (folder / 'w/fail').touch()
        done = find(folder)
        assert done.returncode == 1 and 'fold1: the prediction failed, see ' in done.stderr
        (folder / 'w/fail').unlink()
        done = find(folder)
        assert done.returncode == 0, done.stderr
        yield folder


def find(folder: Path, *options: str) -> Any:
    arguments = ('c.py', '--work-dir', 'w', '--folds', '2', '--shown', '0', *options)
    return run_tool(folder, 'analysis/find_label_errors.py', *arguments)


def test_one_command_from_config_to_list(folder: Path) -> None:
    order = (folder / 'w/order.txt').read_text().splitlines()
    assert order == ['train fold0', 'test fold0', 'train fold1', 'test fold1']  # resumed
    whole, found = (Predictions.load(folder / name) for name in ('all.npz', 'w/predictions.npz'))
    np.testing.assert_array_equal(found.names, whole.names)
    np.testing.assert_array_equal(found.scores, whole.scores)
    with open(folder / 'w/errors.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == whole.targets.size
    first = {(row['image'], row['class'], row['suggestion']) for row in rows[:2]}
    marked = whole.classes[np.flatnonzero(whole.targets[3])[0]]
    assert first == {('1.png', whole.classes[0], 'add'), ('3.png', marked, 'remove')}
    assert '<title>Suspect labels</title>' in (folder / 'w/errors.html').read_text()


def test_folds_are_configs_of_disjoint_images(folder: Path) -> None:
    seen = []
    for k in range(2):
        cfg = Config.fromfile(folder / f'w/fold{k}/seed0/config.py')
        assert cfg.test_dataloader == cfg.val_dataloader
        parts = [cfg[f'{x}_dataloader'].dataset for x in ('train', 'val')]
        assert parts[0].ann_file == parts[1].ann_file
        train, held = ([int(i) for i in Path(x.indices).read_text().split()] for x in parts)
        assert sorted(train + held) == [0, 1, 2, 3]
        seen += held
    assert sorted(seen) == [0, 1, 2, 3]


@pytest.mark.slow
def test_earlier_folds_and_scores_must_fit(folder: Path) -> None:
    done = find(folder, '--folds', '3')
    assert done.returncode == 1 and 'folds.csv has the folds of other' in done.stderr
    done = find(folder, '--scores', 'all.npz', '--out', 'e.csv', '--count', '3')
    assert done.returncode == 0 and 'e.csv: 3 of' in done.stdout
    text = (folder / 'labels.csv').read_text()
    (folder / 'other.csv').write_text(text.replace('dog;tree', 'tree'))
    other = ('--cfg-options', f'train_dataloader.dataset.ann_file={folder}/other.csv')
    done = find(folder, '--scores', 'all.npz', *other)
    assert done.returncode == 1 and 'all.npz: the predictions must be of' in done.stderr


@pytest.mark.slow
def test_trial_flips_and_finds(folder: Path) -> None:
    trial = 'analysis/label_error_trial.py'
    done = run_tool(folder, trial, 'flip', 'c.py', '--share', '0.25', '--out', 't')
    assert done.returncode == 0 and 't: 2 labels taken away, 2 false' in done.stdout
    dataset = _folds.read_training_data(Config.fromfile(folder / 't/config.py'))
    before = Predictions.load(folder / 'all.npz').targets
    changed = np.argwhere(dataset.get_gt_labels() != before).tolist()
    with open(folder / 't/flips.csv', newline='') as file:
        flips = list(csv.DictReader(file))
    names = dataset.metainfo['classes']
    pairs = [[int(row['image'][0]), names.index(row['class'])] for row in flips]
    assert len(changed) == 4 and sorted(changed) == sorted(pairs)
    done = run_tool(folder, trial, 'score', 't/flips.csv', 'w/errors.csv', '--name', 'x')
    header, line = done.stdout.splitlines()[-2:]
    assert header.startswith('name,list,flips,pairs') and line.startswith('x,errors,4,20,')


@pytest.mark.slow
def test_trial_keeps_one_label_an_image(folder: Path) -> None:
    trial = 'analysis/label_error_trial.py'
    done = run_tool(folder, trial, 'keep-one', 'c.py', '--seed', '1', '--out', 'one')
    before = Predictions.load(folder / 'all.npz').targets
    cfg = Config.fromfile(folder / 'one/config.py')
    after = _folds.read_training_data(cfg).get_gt_labels()
    assert ((before == 1).sum(axis=1) > 1).any()
    np.testing.assert_array_equal((after == 1).sum(axis=1), (before == 1).any(axis=1))
    assert (before[after == 1] == 1).all() and ((after == -1) == (before == -1)).all()
    taken = int((before == 1).sum() - (after == 1).sum())
    assert f'one: {taken} labels taken away, 0 false ones' in done.stdout


def test_a_reviewed_list_becomes_a_label_file(folder: Path) -> None:
    lines = (folder / 'w/errors.csv').read_text().splitlines()
    reviewed = [lines[0], f'{lines[1]}yes', f'{lines[2]}unsure', *lines[3:]]
    (folder / 'reviewed.csv').write_text('\n'.join(reviewed))
    before = (folder / 'labels.csv').read_bytes()
    correct = ('analysis/correct_labels.py', 'c.py', 'reviewed.csv', '--to')
    done = run_tool(folder, *correct, 'new.csv')
    assert done.returncode == 0, done.stderr
    assert '1 yes, 0 no, 1 unsure' in done.stdout and '2 labels changed' in done.stdout
    content = (folder / 'new.csv').read_bytes()
    for name in ('new.csv', 'labels.csv'):
        done = run_tool(folder, *correct, name)
        assert done.returncode == 1 and f'{name} exists' in done.stderr
    assert (folder / 'new.csv').read_bytes() == content
    assert (folder / 'labels.csv').read_bytes() == before


def test_corrections_keep_the_rules_of_groups(tmp_path: Path) -> None:
    cfg: Any = make_colour_training(tmp_path, wrong={0: 'blue'}, count=2)
    cfg.train_dataloader.dataset.groups = [
        dict(name='hue', classes=['blue', 'green'], rule='at_most_one')
    ]
    cfg.dump(tmp_path / 'c.py')
    header = 'rank,image,class,label,score,likelihood,suggestion,verdict\n'
    correct = ('analysis/correct_labels.py', 'c.py', 'r.csv', '--to', 'new.csv')
    (tmp_path / 'r.csv').write_text(f'{header}1,0.png,green,0,0.9,0.9,add,yes\n')
    done = run_tool(tmp_path, *correct)
    assert done.returncode == 1 and not (tmp_path / 'new.csv').exists()
    assert "after r.csv: labels must keep the rules of `groups`: 0.png has ['blue', 'green']" in (
        done.stderr
    )
    with open(tmp_path / 'r.csv', 'a') as file:
        file.write('2,0.png,blue,1,0.1,0.9,remove,yes\n')
    done = run_tool(tmp_path, *correct)
    assert done.returncode == 0, done.stderr
    assert "groups=[{'name': 'hue', 'classes': ['blue', 'green']" in done.stdout


def test_parts_and_foreign_datasets_are_refused(tmp_path: Path) -> None:
    cfg = make_training_data(tmp_path, epochs=1)
    cfg.train_dataloader = cfg.train_dataloader.to_dict()
    cfg.train_dataloader.dataset.indices = [0, 1]
    with pytest.raises(ValueError, match='indices'):
        _folds.read_training_data(cfg)
    content = dict(metainfo=dict(classes=['a']), data_list=[dict(img_path='0.png', gt_label=[0])])
    (tmp_path / 'a.json').write_text(json.dumps(content))
    cfg.train_dataloader.dataset = dict(
        type='MultiLabelDataset', ann_file=str(tmp_path / 'a.json'), data_prefix=''
    )
    with pytest.raises(ValueError, match='dataset of mmmsf, .* got MultiLabelDataset'):
        _folds.read_training_data(cfg)
    cfg.val_dataloader = None
    with pytest.raises(ValueError, match='val_dataloader'):
        _folds.hold_out(cfg)
