"""Self-contained HTML page of one or several evaluated runs."""

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from mmmsf.evaluation import Predictions
from mmmsf.utils.printable import printable

from . import figures
from .examples import Example, Explain, find_mistakes
from .numbers import RunNumbers, check_comparable, number_run
from .tables import class_table, difference_rows, format_number, summary_rows
from .template import TEMPLATE

MAX_PANELS = 100  # classes whose curves are drawn


def _panels(
    runs: Sequence[RunNumbers], labels: Sequence[str], drawn: Sequence[int]
) -> list[dict[str, Any]]:
    """Draw the curves of each class."""
    panels = []
    for k in drawn:
        picture = figures.draw_class_curves(
            [run.curves[k] for run in runs],
            [float(run.thresholds[k]) for run in runs],
            [float(run.best_f1[k]) for run in runs],
        )
        aps = ', '.join(format_number(float(run.report.ap[k])) for run in runs)
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
    """Build the template values of one mistake."""
    truth = [labels[k] for k in np.flatnonzero(run.predictions.targets[example.row] == 1).tolist()]
    return dict(
        picture=example.picture,
        attention=example.attention,
        label=labels[example.label],
        score=format_number(example.score, 3),
        threshold=format_number(float(run.thresholds[example.label]), 3),
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
    """Build the template values of one run."""
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
        ece=format_number(100 * run.ece),
        classwise_ece=format_number(100 * run.classwise_ece),
        brier=format_number(100 * run.brier),
        calibrated=run.predictions.calibrated,
        pairs=figures.draw_pairs(run.predicted_pairs, labels),
        pair_difference=figures.draw_pairs(run.predicted_pairs - run.truth_pairs, labels, True),
        groups=run.report.group_rows() if run.report.groups else [],
        **class_table(run, labels, drawn),
    )


def build_page(
    predictions: Sequence[tuple[str, Predictions]],
    image_root: Path | None = None,
    explain: Explain | None = None,
) -> str:
    """Build the page.

    Args:
        predictions: Name and predictions of each run, all with the same images, classes and
            targets.
        image_root: Folder of the images; by default their paths are not changed.
        explain: Function that draws the attention of a class over an image, for the mistakes of
            the first run.

    Returns:
        HTML that needs no other file and no network. Text from the data is escaped.

    Raises:
        ValueError: There is no run, the runs cannot be compared, or predictions are not valid.
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
        summary=summary_rows(runs),
        difference=difference_rows(runs, labels),
        overall=figures.draw_overall_curves(runs),
        panels=_panels(runs, labels, drawn),
        hidden_panels=len(labels) - len(drawn),
        sizes=figures.draw_sizes(runs),
        calibration=figures.draw_calibration(runs),
        truth_pairs=figures.draw_pairs(first.truth_pairs, labels),
    )
