"""Runs of a sweep, with a stand-in for tools/train.py that writes what a training leaves behind."""

import csv
import json
import threading
from argparse import Namespace
from pathlib import Path

import _sweep
import pytest
from _grid import Row, make_rows
from _results import Result, config_hash
from _sweep import Sweep
from mmengine.config import Config

from mmmsf.checkpoint.loading import build_model

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/msf/msf_resnet18_1xb16-10e_digits-64px.py'
TRAIN = """
import argparse, json, os
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument('config', type=Path)
parser.add_argument('--work-dir', type=Path)
parser.add_argument('--seed', type=int)
parser.add_argument('--resume', action='store_true')
args = parser.parse_args()
assert args.config == args.work_dir / 'config.py' and args.resume
if 'fuse=False' in args.config.read_text() and args.seed == 1:
    raise SystemExit('no scale attention here')
with open(args.work_dir.parents[1] / 'order.txt', 'a') as file:
    print(args.work_dir.parent.name, args.seed, os.environ['OMP_NUM_THREADS'], file=file)
(args.work_dir / 'val').mkdir(exist_ok=True)
(args.work_dir / 'val/metrics.json').write_text(json.dumps(dict(mAP=90 + args.seed)))
(args.work_dir / '0/vis_data').mkdir(parents=True, exist_ok=True)
scalars = dict(loss=1.0, epoch=1, iter=10, time=0.5)
(args.work_dir / '0/vis_data/scalars.json').write_text(json.dumps(scalars))
"""


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Namespace:
    (tmp_path / 'train.py').write_text(TRAIN)
    monkeypatch.setattr(_sweep, 'TRAIN', tmp_path / 'train.py')
    return Namespace(
        work_dir=str(tmp_path / 'runs'),
        seeds=[0, 1],
        jobs=1,
        threads=3,
        gpus=None,
        gpus_per_run=1,
        image_size=[64],
    )


@pytest.fixture(scope='module')
def rows() -> list[Row]:
    grid = ROOT / 'configs/msf/ablations/grid.yml'
    return make_rows([grid], base=CONFIG, names=['msf-no-hsa'])


def test_runs_seed_by_seed_and_names_the_run_that_failed(
    arguments: Namespace, rows: list[Row]
) -> None:
    ended: list[tuple[str, str]] = []
    sweep = Sweep(rows, arguments, lambda row, folder: ended.append((row.name, folder.name)))
    (message,) = sweep.run()
    assert message.startswith('msf-no-hsa, seed 1: exit status 1, see ')
    assert message.endswith('no scale attention here')
    order = (Path(arguments.work_dir) / 'order.txt').read_text().splitlines()
    assert order == ['msf 0 3', 'msf-no-hsa 0 3', 'msf 1 3']
    assert ended == [('msf', 'seed0'), ('msf-no-hsa', 'seed0'), ('msf', 'seed1')]


def test_writes_a_result_a_run_and_skips_finished_runs(
    arguments: Namespace, rows: list[Row]
) -> None:
    root = Path(arguments.work_dir)
    Sweep(rows, arguments).run()
    Sweep(rows, arguments).write_tables()
    with open(root / 'table.csv', newline='') as file:
        found = list(csv.DictReader(file))
    assert [(x['row'], x['seed'], x['mAP']) for x in found] == [
        ('msf', '0', '90'),
        ('msf', '1', '91'),
        ('msf-no-hsa', '0', '90'),
    ]
    assert int(found[0]['params']) - int(found[2]['params']) == 16 * 4  # the gate
    assert found[0]['epoch_seconds'] == '5.0'
    assert len({x['config_hash'] for x in found}) == 2
    assert '| msf | 90.50 ± 0.71 |' in (root / 'table.md').read_text()

    (root / 'msf/seed1/result.json').unlink()
    (root / 'order.txt').unlink()
    Sweep(rows[:1], arguments).run()
    assert (root / 'order.txt').read_text() == 'msf 1 3\n'


def test_cost_is_that_of_the_model_on_images(arguments: Namespace, rows: list[Row]) -> None:
    features = rows[0].cfg.to_dict()
    features['model']['backbone'] = dict(type='mmmsf.FeatureInput', map_shapes=[(128, 4, 4)])
    row = Row('msf', Config(features), images=rows[0].cfg)
    assert not Sweep([row], arguments).run()
    result = Result.load(Sweep([row], arguments).run_dir(row, 0) / 'result.json')
    assert result.params == sum(p.numel() for p in build_model(rows[0].cfg).parameters())
    assert result.config_hash == config_hash(row.cfg) != config_hash(rows[0].cfg)


def test_refuses_results_of_another_config(arguments: Namespace, rows: list[Row]) -> None:
    sweep = Sweep(rows[:1], arguments)
    sweep.run()
    path = sweep.run_dir(rows[0], 0) / 'result.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | dict(config_hash='other')))
    with pytest.raises(ValueError, match=r'result\.json is the result of another config'):
        sweep.run()


def test_refuses_a_started_run_of_another_config(arguments: Namespace, rows: list[Row]) -> None:
    sweep = Sweep(rows, arguments)
    sweep.train(0, rows[0], 0)
    started = sweep.run_dir(rows[0], 0)
    (started / 'result.json').unlink()
    (started / 'config.py').write_text('# the training writes it again')
    assert sweep.finished(rows[0], 0) is None
    other = Config(rows[0].cfg.to_dict())
    other.optim_wrapper.optimizer.lr = 0.5
    with pytest.raises(ValueError, match='seed0 has a started run of another config'):
        Sweep([Row(rows[0].name, other)], arguments).run()
    (started / 'config_hash.txt').unlink()
    with pytest.raises(ValueError, match='of another config or an earlier version'):
        sweep.run()


def test_a_run_takes_the_gpu_of_the_job_that_is_free(
    arguments: Namespace, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments.jobs, arguments.seeds = 2, [0, 1, 2]
    first, busy, seen = threading.Event(), [], []

    def train(self: Sweep, job: int, row: Row, seed: int) -> None:
        assert job not in busy
        busy.append(job)
        seen.append(job)
        if len(seen) == 1:  # until all others have ended
            first.wait(30)
        elif len(seen) == 6:
            first.set()
        busy.remove(job)

    monkeypatch.setattr(Sweep, 'train', train)
    assert Sweep(rows, arguments).run() == []
    assert len(seen) == 6 and len(set(seen[1:])) == 1


def test_stopped_sweep_starts_nothing(arguments: Namespace, rows: list[Row]) -> None:
    sweep = Sweep(rows, arguments)
    sweep.stop()
    assert sweep.run() == []
    assert not (Path(arguments.work_dir) / 'order.txt').exists()


def test_gpus_are_shared_among_the_jobs(arguments: Namespace) -> None:
    arguments.gpus, arguments.gpus_per_run = [4, 5, 6], 2
    sweep = Sweep([], arguments)
    visible = [sweep.environment(job)['CUDA_VISIBLE_DEVICES'] for job in range(3)]
    assert visible == ['4,5', '6,4', '5,6']
    command = sweep.command(Path('run'), 7)
    assert command[1:5] == ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    assert command[-2:] == ['--launcher', 'pytorch']
