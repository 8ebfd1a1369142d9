"""Tables of the report page, as rows of strings."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmmsf.evaluation.functional import SIZE_NAMES
from mmmsf.evaluation.tables import THRESHOLD_KEYS

from .numbers import RunNumbers


def format_number(value: float, digits: int = 2) -> str:
    """Format a number, NaN as a dash."""
    return '–' if np.isnan(value) else f'{value:.{digits}f}'


def format_change(value: float) -> dict[str, str]:
    """Format a difference: signed text and its colour class."""
    if np.isnan(value):
        return dict(text='–', sign='')
    text = f'{value:+.2f}'.replace('-', '\N{MINUS SIGN}')
    return dict(text=text, sign='' if abs(value) < 0.005 else 'up' if value > 0 else 'down')


def summary_rows(runs: Sequence[RunNumbers]) -> list[dict[str, Any]]:
    """Build the rows of the summary table."""
    nan = float('nan')
    rows = [
        (name, [run.report.summary.get(name, nan) for run in runs])
        for name in ('mAP', 'mAP_voc', *(f'mAP_{size}' for size in SIZE_NAMES))
    ]
    for suffix, what in (('', 'score ≥ 0.5'), ('_top3', 'top 3')):
        rows += [
            (f'{key} ({what})', [run.report.summary[key + suffix] for run in runs])
            for key in THRESHOLD_KEYS
        ]
    at = 5 + len(THRESHOLD_KEYS)
    rows[at:at] = [
        (f'{key} (at best F1)', [run.at_best[key] for run in runs]) for key in THRESHOLD_KEYS
    ]
    keys = ('mAcc', 'mF1', 'acc_', 'f1_')
    rows += [
        (key, [run.report.summary.get(key, nan) for run in runs])
        for key in runs[0].report.summary
        if key.startswith(keys)
    ]
    rows += [
        ('ECE', [100 * run.ece for run in runs]),
        ("mean of the classes' ECE", [100 * run.classwise_ece for run in runs]),
        ('Brier score', [100 * run.brier for run in runs]),
    ]
    table = []
    for label, values in rows:
        change = format_change(values[1] - values[0] if len(values) > 1 else nan)
        # A lower error is better, so its change has no colour
        table.append(
            dict(
                label=label.replace('_', ' '),
                cells=[format_number(v) for v in values],
                change=change['text'],
                sign='' if 'ECE' in label or 'Brier' in label else change['sign'],
            )
        )
    return table


def class_table(run: RunNumbers, labels: Sequence[str], drawn: set[int]) -> dict[str, Any]:
    """Build columns and rows of one run's classes, highest AP first."""
    report = run.report
    columns: dict[str, list[str]] = {'AP': [format_number(v) for v in report.ap]}
    if report.ap_by_size is not None:
        columns |= {
            f'AP {size}': [format_number(v) for v in values]
            for size, values in zip(SIZE_NAMES, report.ap_by_size, strict=True)
        }
    columns |= {
        'precision': [format_number(v) for v in report.precision],
        'recall': [format_number(v) for v in report.recall],
        'best F1': [format_number(100 * v) for v in run.best_f1],
        'thr': [format_number(v, 3) for v in run.thresholds],
        'positives': [str(v) for v in report.positives],
        'predicted': [str(v) for v in report.predicted],
        'correct': [str(v) for v in report.correct],
    }
    order = np.argsort(-np.nan_to_num(report.ap, nan=-1.0), kind='stable').tolist()
    return dict(
        columns=['class', *columns],
        rows=[
            dict(
                index=k,
                label=labels[k],
                panel=k in drawn,
                cells=[column[k] for column in columns.values()],
            )
            for k in order
        ],
    )


def difference_rows(runs: Sequence[RunNumbers], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Build rows of the AP differences, the largest loss of the second run first; NaN last."""
    if len(runs) < 2:
        return []
    ap = np.stack([run.report.ap for run in runs])  # (R, K)
    order = np.argsort(ap[1] - ap[0], kind='stable').tolist()
    return [
        dict(
            label=labels[k],
            cells=[format_number(v) for v in ap[:, k]],
            changes=[format_change(v) for v in ap[1:, k] - ap[0, k]],
        )
        for k in order
    ]
