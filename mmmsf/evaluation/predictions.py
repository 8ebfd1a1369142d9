"""File of the scores and targets of a data set."""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from mmengine.dataset import BaseDataset
from numpy.typing import NDArray

from mmmsf.utils.groups import Group, name_groups, parse_groups

from .rows import EvaluationRows

_FIELDS = ('names', 'classes', 'scores', 'targets', 'sizes')
_FLAGS = ('calibrated', 'tta')  # False in files that lack them


@dataclass(frozen=True, eq=False)
class Predictions:
    """Hold scores and targets of N images and K classes.

    Attributes:
        names: Image paths, shape (N,).
        classes: Class names, shape (K,).
        scores: Scores, 0 to 1, float32 (N, K).
        targets: Targets, 1, 0, or -1 for ignored, int8 (N, K).
        sizes: Sizes, 0 unknown or none, 1 small, 2 medium, 3 large, int8 (N, K).
        calibrated: True where the scores are calibrated.
        tta: True where the scores are averages over views of test-time augmentation.
        groups: Exclusive groups of the classes.
    """

    names: NDArray[np.str_]
    classes: NDArray[np.str_]
    scores: NDArray[np.float32]
    targets: NDArray[np.int8]
    sizes: NDArray[np.int8]
    calibrated: bool = False
    groups: tuple[Group, ...] = ()
    tta: bool = False

    @classmethod
    def from_rows(
        cls,
        rows: EvaluationRows,
        dataset: BaseDataset,
        calibrated: bool = False,
        tta: bool = False,
    ) -> 'Predictions':
        """Join gathered rows with the image paths and class names of a data set.

        Args:
            rows: Rows of the metric. Where ``sample_idx`` is unknown or not unique (a concatenated
                data set), they must be those of all images, in order.
            dataset: Data set that the rows come from; an image without ``img_path`` is named by
                its index.
            calibrated: True where the scores are calibrated.
            tta: True where they are averages over views.

        Raises:
            ValueError: It cannot be told which images the rows are of.
        """
        index = rows.sample_idx
        if (index < 0).any() or len(np.unique(index)) < len(index):
            if len(index) != len(dataset):
                raise ValueError(
                    f'the {len(index)} rows must have a `sample_idx` each that is unique, or be '
                    f'those of all {len(dataset)} images of the data set'
                )
            index = np.arange(len(dataset))
        names = [str(dataset.get_data_info(int(i)).get('img_path', i)) for i in index]
        classes = dataset.metainfo.get('classes') or map(str, range(rows.scores.shape[1]))
        classes = np.array(list(classes))
        groups = parse_groups(dataset.metainfo.get('groups'), classes.tolist())
        arrays = rows.scores, rows.targets, rows.sizes
        return cls(np.array(names), classes, *arrays, calibrated, groups, tta)

    def require_raw_scores(self, path: str | Path) -> 'Predictions':
        """Return the predictions if their scores are those that the network gives for an image.

        Args:
            path: File that they come from, for the message.

        Raises:
            ValueError: They are calibrated, or averages over views.
        """
        if self.calibrated:
            raise ValueError(
                f'the scores in {path} must not be calibrated, since checkpoints carry values for '
                'scores that are not; test with --no-calibration'
            )
        if self.tta:
            raise ValueError(
                f'the scores in {path} must not be averages over views, since predictions with '
                'the checkpoint are not; test without --tta'
            )
        return self

    def save(self, path: str | Path) -> None:
        """Write a compressed ``.npz`` without pickled objects."""
        arrays = {name: getattr(self, name) for name in (*_FIELDS, *_FLAGS)}
        if self.groups:
            named = name_groups(self.groups, self.classes.tolist())
            arrays['groups'] = np.array(json.dumps(named))
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> 'Predictions':
        """Read a file of :meth:`save`.

        Raises:
            FileNotFoundError: ``path`` does not exist.
            ValueError: The file is not such an archive; names the file and the missing arrays.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                missing = [name for name in _FIELDS if name not in archive]
                if missing:
                    raise ValueError(f'it has no {", ".join(missing)}')
                arrays = {name: archive[name] for name in _FIELDS}
                calibrated, tta = (name in archive and bool(archive[name]) for name in _FLAGS)
                stored = json.loads(str(archive['groups'])) if 'groups' in archive else None
                groups = parse_groups(stored, arrays['classes'].tolist())
                return cls(**arrays, calibrated=calibrated, groups=groups, tta=tta)
        except (ValueError, TypeError, OSError, EOFError, BadZipFile, zlib.error) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ValueError(
                f'{path} is not a predictions file (tools/test.py --out FILE.npz): {error}'
            ) from error
