"""Scores and targets of a whole set in one plain file."""

from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from mmengine.dataset import BaseDataset
from numpy.typing import NDArray

from .rows import EvaluationRows

_FIELDS = ('names', 'classes', 'scores', 'targets', 'sizes')


@dataclass(frozen=True, eq=False)
class Predictions:
    """N images, K classes.

    Attributes:
        names: (N,) image paths.
        classes: (K,) class names.
        scores: (N, K) float32, 0 to 1.
        targets: (N, K) int8: 1, 0, or -1 for ignored.
        sizes: (N, K) int8: 0 unknown or none, 1 small, 2 medium, 3 large.
    """

    names: NDArray[np.str_]
    classes: NDArray[np.str_]
    scores: NDArray[np.float32]
    targets: NDArray[np.int8]
    sizes: NDArray[np.int8]

    @classmethod
    def from_rows(cls, rows: EvaluationRows, dataset: BaseDataset) -> 'Predictions':
        """Put the image paths (the index where there is none) and class names of ``dataset``
        beside gathered rows.
        """
        names = [str(dataset.get_data_info(int(i)).get('img_path', i)) for i in rows.sample_idx]
        classes = dataset.metainfo.get('classes') or map(str, range(rows.scores.shape[1]))
        return cls(np.array(names), np.array(list(classes)), rows.scores, rows.targets, rows.sizes)

    def save(self, path: str | Path) -> None:
        """Write a compressed ``.npz``; nothing in it is pickled."""
        np.savez_compressed(path, **asdict(self))

    @classmethod
    def load(cls, path: str | Path) -> 'Predictions':
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: the file is no such archive; names the file and what is missing.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                missing = [name for name in _FIELDS if name not in archive]
                if missing:
                    raise ValueError(f'it has no {", ".join(missing)}')
                return cls(**{name: archive[name] for name in _FIELDS})
        except (ValueError, OSError, EOFError, BadZipFile) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ValueError(
                f'{path} is not a predictions file (tools/test.py --out FILE.npz): {error}'
            ) from error
