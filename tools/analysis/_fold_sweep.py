"""Runs without one fold each, and their scores of the images of the fold."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _grid import Row
from _sweep import TRAIN, Sweep

from mmmsf.datasets.base import MultiLabelData
from mmmsf.engine.resume import find_checkpoint
from mmmsf.evaluation import Predictions

TEST = TRAIN.with_name('test.py')


class FoldSweep(Sweep):
    """Train without each fold, then predict it, in ``<work dir>/fold<k>/seed<N>``."""

    def predictions(self, row: Row, seed: int) -> Path:
        """Return the file of the scores of the held images."""
        return self.run_dir(row, seed) / 'predictions.npz'

    def checkpoint(self, row: Row, seed: int) -> Path:
        """Return the last checkpoint of a finished run."""
        path = find_checkpoint(self.run_dir(row, seed))
        if path is None:
            raise FileNotFoundError(f'{self.run_dir(row, seed)}: there is no checkpoint')
        return path

    def finished(self, row: Row, seed: int) -> object:
        """Return the result of an earlier call if its predictions are there too."""
        return super().finished(row, seed) if self.predictions(row, seed).exists() else None

    def train(self, job: int, row: Row, seed: int) -> str | None:
        """Train one run, then predict its fold; return the end of its log if it fails."""
        trained = super().finished(row, seed) is not None
        message = None if trained else super().train(job, row, seed)
        if message is not None or self.stopped:
            return message
        run_dir, out = self.run_dir(row, seed), self.predictions(row, seed)
        partial = out.with_name(f'partial_{out.name}')
        checkpoint = self.checkpoint(row, seed)
        options = ['--out', str(partial), '--work-dir', str(run_dir / 'test'), '--no-thresholds']
        command = [sys.executable, str(TEST), str(run_dir / 'config.py'), str(checkpoint), *options]
        log = run_dir / 'test.log'
        with open(log, 'w', encoding='utf-8') as file:
            done = subprocess.run(
                command, stdout=file, stderr=subprocess.STDOUT, env=self.environment(job)
            )
        if done.returncode:
            return f'{row.name}: the prediction failed, see {log}'
        partial.replace(out)
        return None


def collect(files: Sequence[Path], dataset: MultiLabelData) -> Predictions:
    """Join predictions in the order of a dataset.

    Args:
        files: Predictions of the parts, such as the folds.
        dataset: All images, with their labels as they are now.

    Raises:
        ValueError: The files have other images or labels than the dataset.
    """
    parts = [Predictions.load(path) for path in files]
    classes = dataset.metainfo['classes']
    names = [str(dataset.get_data_info(i)['img_path']) for i in range(len(dataset))]
    found = np.concatenate([part.names for part in parts])
    place = {name: i for i, name in enumerate(found.tolist())}
    targets = dataset.get_gt_labels().astype(np.int8)
    fields = [np.concatenate([getattr(x, key) for x in parts]) for key in ('scores', 'targets')]
    order = [place.get(name, -1) for name in names]
    same = len(place) == len(found) == len(names) and -1 not in order
    same = same and all(tuple(part.classes) == classes for part in parts)
    if not same or (fields[1][order] != targets).any():
        raise ValueError(
            f'{files[0]}: the predictions must be of the images and labels of the training data as '
            'they are now; predict them again, in another --work-dir'
        )
    sizes = np.concatenate([part.sizes for part in parts])[order]
    return Predictions(np.array(names), parts[0].classes, fields[0][order], targets, sizes)
