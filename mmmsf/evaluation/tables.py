"""Result of one evaluation, with its tables and files."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .functional.group_metrics import GroupResult
from .functional.size_aware import SIZE_NAMES

MAX_CLASSES = 100  # of a table in a log
EXTREME_CLASSES = 20  # worst and best each, of a longer one
THRESHOLD_KEYS = ('CP', 'CR', 'CF1', 'OP', 'OR', 'OF1')


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align cells in columns: the first flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return '  '.join([first, *rest]).rstrip()

    rule = '  '.join('-' * width for width in widths)
    return '\n'.join([line(header), rule, *map(line, rows)])


def _cell(value: float) -> str:
    return '-' if math.isnan(value) else f'{value:.2f}'


@dataclass(frozen=True, eq=False)
class EvaluationReport:
    """Hold the result of one evaluation of N images and K classes.

    All rates are percentages, 0 to 100; NaN where they are undefined.

    Attributes:
        classes: K class names.
        ap: Average precision, shape (K,).
        ap_by_size: Average precision of the small, medium and large positives, shape (3, K);
            ``None`` if sizes are off or unknown.
        positives: Number of images with the class, shape (K,).
        predicted: Number of images predicted at ``thr``, without those that ignore the class,
            shape (K,).
        correct: Number of images predicted correctly at ``thr``, shape (K,).
        precision: Precision at ``thr``; 0 for a class that is never predicted, shape (K,).
        recall: Recall at ``thr``; NaN for a class without a positive, shape (K,).
        thr: Threshold of the four entries above.
        summary: Metrics by name, without prefix.
        num_images: Number of images N.
        ap_flavour: Flavour of ``ap`` and of the means without another one in their name.
        groups: Result of each exclusive group at ``thr``; its rates are 0 to 1.
    """

    classes: tuple[str, ...]
    ap: NDArray[np.float64]
    ap_by_size: NDArray[np.float64] | None
    positives: NDArray[np.int64]
    predicted: NDArray[np.int64]
    correct: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    thr: float
    summary: dict[str, float]
    num_images: int
    ap_flavour: str
    groups: tuple[GroupResult, ...] = ()

    def _rates(self) -> dict[str, NDArray[np.float64]]:
        """Return the per-class rates by column name, each (K,)."""
        rates = {'AP': self.ap}
        if self.ap_by_size is not None:
            rates |= {
                f'AP_{name}': ap for name, ap in zip(SIZE_NAMES, self.ap_by_size, strict=True)
            }
        return rates | {'precision': self.precision, 'recall': self.recall}

    def _counts(self) -> dict[str, NDArray[np.int64]]:
        """Return the per-class counts by column name, each (K,)."""
        return {'positives': self.positives, 'predicted': self.predicted, 'correct': self.correct}

    def summary_table(self) -> str:
        """Format the mean average precisions, then the rates of each kind of decision."""
        means = [
            f'{key} {_cell(value)}' for key, value in self.summary.items() if key.startswith('mAP')
        ]
        means[0] += f' ({self.ap_flavour})'
        suffixes = [key[2:] for key in self.summary if key.startswith('CP')]
        rows = [
            [
                suffix.lstrip('_').replace('thr-', 'score >= ') or f'score >= {self.thr:g}',
                *(_cell(self.summary[key + suffix]) for key in THRESHOLD_KEYS),
            ]
            for suffix in suffixes
        ]
        table = format_table(['%', *THRESHOLD_KEYS], rows)
        return (
            f'{self.num_images} images, {len(self.classes)} classes (%)\n'
            f'{"  ".join(means)}\n{table}'
        )

    def group_rows(self) -> list[list[str]]:
        """Format one row per exclusive group, with a header and the means."""
        rows = [['group', 'rule', 'classes', 'accuracy', 'mean F1', 'images', 'unknown']]
        for x in self.groups:
            rates = (_cell(100 * x.accuracy), _cell(100 * x.f1))
            rows.append([x.name, x.rule, str(x.size), *rates, str(x.known), str(x.unknown)])
        means = (_cell(self.summary.get(key, math.nan)) for key in ('mAcc', 'mF1'))
        return [*rows, ['mean', '', '', *means, '', '']] if len(self.groups) > 1 else rows

    def group_table(self) -> str:
        """Format accuracy (%), mean F1 (%) and counts of the exclusive groups."""
        header, *rows = self.group_rows()
        return format_table(header, rows)

    def class_table(self) -> str:
        """Format one line per class: average precision, precision and recall at ``thr``, counts.

        Of more than ``MAX_CLASSES`` classes, those of the lowest and the highest AP are shown.
        """
        rates, counts = self._rates(), self._counts()
        shown = list(range(len(self.classes)))
        note = ''
        if len(shown) > MAX_CLASSES:
            shown = np.argsort(self.ap, kind='stable')[: np.isfinite(self.ap).sum()].tolist()
            shown = shown[:EXTREME_CLASSES] + shown[EXTREME_CLASSES:][-EXTREME_CLASSES:]
            note = (
                f'\nThe {len(shown)} classes of lowest and highest AP of {len(self.classes)}; '
                'per_class.csv has all'
            )
        rows = [
            [
                self.classes[k],
                *(_cell(rate[k]) for rate in rates.values()),
                *(str(count[k]) for count in counts.values()),
            ]
            for k in shown
        ]
        return format_table(['class', *rates, *counts], rows) + note

    def save(self, directory: str | Path) -> None:
        """Write ``metrics.json`` and ``per_class.csv`` to ``directory``, created if missing.

        The files hold unrounded percentages; an undefined one is ``null`` in the first and an
        empty cell in the second.

        Raises:
            OSError: The directory or a file cannot be written.
        """
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        summary = {key: None if math.isnan(value) else value for key, value in self.summary.items()}
        (folder / 'metrics.json').write_text(
            json.dumps(summary, indent=2, allow_nan=False) + '\n', encoding='utf-8'
        )
        rates, counts = self._rates(), self._counts()
        with open(folder / 'per_class.csv', 'w', encoding='utf-8', newline='') as file:
            writer = csv.writer(file)
            writer.writerow(['class', *rates, *counts])
            for k, name in enumerate(self.classes):
                values = [float(rate[k]) for rate in rates.values()]
                writer.writerow(
                    [
                        name,
                        *('' if math.isnan(value) else value for value in values),
                        *(int(count[k]) for count in counts.values()),
                    ]
                )
