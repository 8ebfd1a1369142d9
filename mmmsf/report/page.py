"""One self-contained HTML page about one or several evaluated runs."""

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from mmmsf.evaluation import Predictions
from mmmsf.evaluation.functional import SIZE_NAMES
from mmmsf.evaluation.tables import THRESHOLD_KEYS
from mmmsf.utils.printable import printable

from . import figures
from .examples import Example, Explain, find_mistakes
from .numbers import RunNumbers, check_comparable, number_run
from .template import TEMPLATE

MAX_PANELS = 100  # classes whose curves are drawn


def _number(value: float, digits: int = 2) -> str:
    return '–' if np.isnan(value) else f'{value:.{digits}f}'


def _change(value: float) -> dict[str, str]:
    """Signed text and the colour class of a difference."""
    if np.isnan(value):
        return dict(text='–', sign='')
    text = f'{value:+.2f}'.replace('-', '\N{MINUS SIGN}')
    return dict(text=text, sign='' if abs(value) < 0.005 else 'up' if value > 0 else 'down')


def _summary(runs: Sequence[RunNumbers]) -> list[dict[str, Any]]:
    """Rows of the summary table."""
    nan = float('nan')
    rows = [
        (name, [run.report.summary.get(name, nan) for run in runs])
        for name in ('mAP', *(f'mAP_{size}' for size in SIZE_NAMES))
    ]
    for suffix, what in (('', 'score ≥ 0.5'), ('_top3', 'top 3')):
        rows += [
            (f'{key} ({what})', [run.report.summary[key + suffix] for run in runs])
            for key in THRESHOLD_KEYS
        ]
    at = 4 + len(THRESHOLD_KEYS)
    rows[at:at] = [
        (f'{key} (at best F1)', [run.at_best[key] for run in runs]) for key in THRESHOLD_KEYS
    ]
    rows += [
        ('ECE', [100 * run.ece for run in runs]),
        ("mean of the classes' ECE", [100 * run.classwise_ece for run in runs]),
    ]
    table = []
    for label, values in rows:
        change = _change(values[1] - values[0] if len(values) > 1 else nan)
        # Of an error less is better; plain text leaves that to the reader.
        table.append(
            dict(
                label=label.replace('_', ' '),
                cells=[_number(v) for v in values],
                change=change['text'],
                sign='' if 'ECE' in label else change['sign'],
            )
        )
    return table


def _class_table(run: RunNumbers, labels: Sequence[str], drawn: set[int]) -> dict[str, Any]:
    """Columns and rows of one run's classes, highest AP first."""
    report = run.report
    columns: dict[str, list[str]] = {'AP': [_number(v) for v in report.ap]}
    if report.ap_by_size is not None:
        columns |= {
            f'AP {size}': [_number(v) for v in values]
            for size, values in zip(SIZE_NAMES, report.ap_by_size, strict=True)
        }
    columns |= {
        'precision': [_number(v) for v in report.precision],
        'recall': [_number(v) for v in report.recall],
        'best F1': [_number(100 * v) for v in run.best_f1],
        'thr': [_number(v, 3) for v in run.thresholds],
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


def _difference(runs: Sequence[RunNumbers], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of the AP differences, the greatest loss of the second run first; NaN last."""
    if len(runs) < 2:
        return []
    ap = np.stack([run.report.ap for run in runs])  # (R, K)
    order = np.argsort(ap[1] - ap[0], kind='stable').tolist()
    return [
        dict(
            label=labels[k],
            cells=[_number(v) for v in ap[:, k]],
            changes=[_change(v) for v in ap[1:, k] - ap[0, k]],
        )
        for k in order
    ]


def _panels(
    runs: Sequence[RunNumbers], labels: Sequence[str], drawn: Sequence[int]
) -> list[dict[str, Any]]:
    """The small curves of each class."""
    panels = []
    for k in drawn:
        picture = figures.draw_class_curves(
            [run.curves[k] for run in runs],
            [float(run.thresholds[k]) for run in runs],
            [float(run.best_f1[k]) for run in runs],
        )
        aps = ', '.join(_number(float(run.report.ap[k])) for run in runs)
        panels.append(
            dict(
                index=k,
                label=labels[k],
                picture=picture,
                text=f'AP {aps}; {runs[0].report.positives[k]} positives',
            )
        )
    return panels


def _shot(run: RunNumbers, labels: Sequence[str], example: Example) -> dict[str, Any]:
    truth = [labels[k] for k in np.flatnonzero(run.predictions.targets[example.row] == 1).tolist()]
    return dict(
        picture=example.picture,
        attention=example.attention,
        label=labels[example.label],
        score=_number(example.score, 3),
        threshold=_number(float(run.thresholds[example.label]), 3),
        truth=', '.join(truth) or 'none',
        path=printable(example.path),
        file=printable(PurePath(example.path).name),
    )


def _run(
    index: int,
    run: RunNumbers,
    labels: Sequence[str],
    drawn: set[int],
    root: Path | None,
    explain: Explain | None,
) -> dict[str, Any]:
    """Everything of one run's own."""
    false, missed = find_mistakes(run, root, explain)
    groups = [
        dict(label=label, shots=[_shot(run, labels, example) for example in examples])
        for label, examples in (
            ('false positives, highest score first', false),
            ('misses, lowest score first', missed),
        )
    ]
    return dict(
        name=printable(run.name),
        color=figures.color_of(index),
        mistakes=groups,
        ece=_number(100 * run.ece),
        classwise_ece=_number(100 * run.classwise_ece),
        pairs=figures.draw_pairs(run.predicted_pairs, labels),
        pair_difference=figures.draw_pairs(run.predicted_pairs - run.truth_pairs, labels, True),
        **_class_table(run, labels, drawn),
    )


def build_page(
    predictions: Sequence[tuple[str, Predictions]],
    image_root: Path | None = None,
    explain: Explain | None = None,
) -> str:
    """Make the page.

    Args:
        predictions: name and predictions of each run; all of the same images, classes and
            targets.
        image_root: folder of the images; by default their paths are taken as they are.
        explain: draws the attention of a class over an image, for the first run's mistakes.

    Returns:
        HTML that needs no other file and no network. What comes from the data is escaped.

    Raises:
        ValueError: there is no run, runs cannot be compared, or predictions are not valid.
    """
    if not predictions:
        raise ValueError('`predictions` must hold at least one run')
    check_comparable(predictions)
    runs = [number_run(name, run) for name, run in predictions]
    first = runs[0]
    labels = [printable(name) for name in first.predictions.classes]
    drawn = np.sort(np.argsort(-first.report.positives, kind='stable')[:MAX_PANELS]).tolist()
    notes = []
    if any((run.predictions.sizes != first.predictions.sizes).any() for run in runs):
        notes.append(
            'The runs were tested with different object sizes, so their mAP small, '
            'medium and large are not comparable.'
        )
    targets = first.predictions.targets
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(TEMPLATE)
    return template.render(
        title='Evaluation: ' + ', '.join(printable(run.name) for run in runs),
        notes=notes,
        images=len(targets),
        classes=labels,
        positives=int((targets == 1).sum()),
        ignored=int((targets < 0).sum()),
        attention=explain is not None,
        runs=[
            _run(i, run, labels, set(drawn), image_root, explain if i == 0 else None)
            for i, run in enumerate(runs)
        ],
        summary=_summary(runs),
        difference=_difference(runs, labels),
        overall=figures.draw_overall_curves(runs),
        panels=_panels(runs, labels, drawn),
        hidden_panels=len(labels) - len(drawn),
        sizes=figures.draw_sizes(runs),
        calibration=figures.draw_calibration(runs),
        truth_pairs=figures.draw_pairs(first.truth_pairs, labels),
    )
