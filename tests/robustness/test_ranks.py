"""Several gloo processes compute the metrics of one, and end together when one of them fails."""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch import distributed

from mmmsf.evaluation import MultiLabelMetric
from tests.helpers.clean_process import start_process
from tests.helpers.run_tool import run_tool
from tests.helpers.tiny_training import CONFIG, TINY, start_tool

SIZES = (1, 2, 7, 23)
WORLD_SIZES = (pytest.param(4, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow), 2)
CLASSES = 5
LIMIT = 60.0  # seconds that a process may run after another has failed
CONFIG_TEXT = f"""
_base_ = '{CONFIG}'
custom_imports = dict(imports=['mmmsf', 'tests.helpers.kill_switch'], allow_failed_imports=False)
custom_hooks = _base_.custom_hooks + [dict(type='KillSwitch')]
"""


def in_processes(
    world_size: int, child: Callable[..., None], *arguments: Any, limit: float = 2 * LIMIT
) -> list[int | None]:
    """Run ``child(rank, *arguments)`` in processes of one group and return their exit codes."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    processes = [
        start_process(
            child,
            rank,
            *arguments,
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(world_size),
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=str(port),
        )
        for rank in range(world_size)
    ]
    for process in processes:
        process.join(limit)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
        process.join()
    return codes


class Samples:
    """Image i is the number i; the sampler assigns it to a rank."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        random = np.random.default_rng(index)
        sample = DataSample(metainfo=dict(sample_idx=index, img_path=f'{index}.png'))
        sample.set_gt_score(torch.from_numpy(random.integers(-1, 2, CLASSES).astype(np.float32)))
        sample.set_pred_score(torch.from_numpy(random.random(CLASSES, dtype=np.float32)))
        return sample.to_dict()


def evaluate(size: int) -> dict[str, float]:
    """Evaluate as the validation loop does, with the sampler of all recipes."""
    loader = Runner.build_dataloader(
        dict(
            dataset=Samples(size),
            batch_size=2,
            num_workers=0,
            collate_fn=dict(type='pseudo_collate'),
            sampler=dict(type='DefaultSampler', shuffle=False),
        )
    )
    evaluator = Evaluator([MultiLabelMetric(topk=2, classwise=False)])
    for batch in loader:
        samples = [
            dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)
        ]
        evaluator.process(samples, None)
    return evaluator.evaluate(size)


def _evaluate_all(rank: int, folder: Path) -> None:
    distributed.init_process_group('gloo')
    results = {size: evaluate(size) for size in SIZES}
    (folder / f'{rank}.json').write_text(json.dumps(results))
    distributed.barrier()
    os._exit(0)  # torch 2.7 can hang when the group is destroyed


@pytest.mark.parametrize('world_size', WORLD_SIZES)
def test_processes_measure_what_one_does(tmp_path: Path, world_size: int) -> None:
    """Use the sampler of the recipes; some sets have fewer images than there are ranks."""
    assert in_processes(world_size, _evaluate_all, tmp_path) == [0] * world_size
    for size in SIZES:
        alone = evaluate(size)
        assert 'multi-label/mAP' in alone
        for rank in range(world_size):
            found = json.loads((tmp_path / f'{rank}.json').read_text())[str(size)]
            assert list(found) == list(alone)
            np.testing.assert_array_equal(list(found.values()), list(alone.values()))


def _train(rank: int, folder: Path, kills: dict[int, str]) -> None:
    """Train and write the error to ``<rank>.txt``."""
    os.environ['MMMSF_TEST_KILL'] = kills.get(rank, '')
    try:
        done = run_tool(
            folder,
            'train.py',
            str(folder / 'config.py'),
            '--work-dir',
            'run',
            '--launcher',
            'pytorch',
            '--cfg-options',
            *TINY,
        )
        text = done.stderr
    except BaseException as error:
        text = f'{type(error).__name__}: {error}'
    (folder / f'{rank}.txt').write_text(text)
    os._exit(int(bool(text)))  # closes the connections, as the end of a process does


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the config and the drawn set."""
    folder = tmp_path_factory.mktemp('ranks')
    (folder / 'config.py').write_text(CONFIG_TEXT)
    done = run_tool(
        folder,
        'train.py',
        str(folder / 'config.py'),
        '--work-dir',
        'first',
        '--cfg-options',
        *TINY,
        'train_cfg.max_epochs=1',
    )
    assert done.returncode == 0, done.stderr
    return folder


def check_killed(folder: Path, world_size: int, victim: int, moment: str) -> None:
    codes = in_processes(world_size, _train, folder, {victim: moment}, limit=LIMIT)
    assert codes[victim] == -signal.SIGKILL
    assert all(code == 1 for rank, code in enumerate(codes) if rank != victim), codes
    for rank in set(range(world_size)) - {victim}:
        assert 'Error' in (folder / f'{rank}.txt').read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    'world_size, victim, moment',
    [
        (2, 0, 'step:1'),
        (2, 1, 'validation:1'),
        (3, 0, 'validation:1'),
        (3, 1, 'step:2'),
        (4, 3, 'step:2'),
    ],
)
def test_a_killed_process_ends_the_others(
    data: Path, world_size: int, victim: int, moment: str
) -> None:
    check_killed(data, world_size, victim, moment)


@contextmanager
def truncated_image(folder: Path, split: str, number: int) -> Iterator[str]:
    """Truncate an image of the drawn set inside the block; give its name."""
    image = sorted(folder.glob(f'data/scaled_digits/*/{split}/*.png'))[number]
    content = image.read_bytes()
    image.write_bytes(content[: len(content) // 2])
    try:
        yield image.name
    finally:
        image.write_bytes(content)


@pytest.mark.parametrize(
    'world_size, split, number',
    [
        pytest.param(2, 'val', 1, marks=pytest.mark.slow),  # read by rank 1
        pytest.param(3, 'train', 5, marks=pytest.mark.slow),
        pytest.param(2, 'val', 0, marks=pytest.mark.slow),  # read by rank 0, which has the store
        pytest.param(4, 'val', 1, marks=pytest.mark.slow),
    ],
)
def test_a_bad_image_ends_all_ranks(data: Path, world_size: int, split: str, number: int) -> None:
    """The rank that reads it names it; the others lose their connection and end too."""
    with truncated_image(data, split, number) as name:
        codes = in_processes(world_size, _train, data, {}, limit=LIMIT)
    assert codes == [1] * world_size
    texts = [(data / f'{rank}.txt').read_text() for rank in range(world_size)]
    assert all('Error' in text for text in texts), texts
    found = [text for text in texts if text.startswith('ImageReadError')]
    assert found  # by two ranks, if the sampler repeats the image to fill the last batch
    assert all(name in text and 'truncated' in text for text in found)


@pytest.mark.slow
def test_torchrun_names_the_first_error_last(data: Path) -> None:
    """The end of the output, which a user reads first, has the cause and not only exit codes."""
    config = str(data / 'config.py')
    with truncated_image(data, 'val', 1) as name:
        done = start_tool(
            data, 'train.py', config, '--work-dir', 'run', '--cfg-options', *TINY, processes=2
        )
    assert done.returncode == 1
    end = done.stderr.split('Root Cause')[-1]
    assert 'ImageReadError' in end and name in end and 'truncated' in end, done.stderr[-3000:]
