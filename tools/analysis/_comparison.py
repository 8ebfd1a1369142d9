"""Models compared on the same images, as rows of a table."""

import csv
from collections.abc import Sequence

import numpy as np
from _bootstrap import paired_difference
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import DefaultScope
from numpy.typing import NDArray

from mmmsf.checkpoint.fit import check_classes
from mmmsf.datasets.base import MultiLabelData
from mmmsf.evaluation import Predictions
from mmmsf.utils.config_file import read_config

HEADER = (
    *('run', 'metric', 'value of first', 'value of run', 'difference', 'low', 'high'),
    'share first < run',
)

SHOWN = 10  # classes that are named


def check_same_data(first: Predictions, other: Predictions, path: str) -> None:
    """Require predictions on the same data.

    Raises:
        ValueError: Images, their order, classes, targets or sizes differ; the message names the
            first difference.
    """
    for field, what in (('names', 'images'), ('classes', 'classes')):
        one, two = getattr(first, field), getattr(other, field)
        if len(one) != len(two):
            raise ValueError(f'{path} has {len(two)} {what}, the first file {len(one)}')
        differ = np.flatnonzero(one != two)
        if differ.size:
            i = differ[0]
            raise ValueError(
                f'{path} has other {what} than the first file, at position {i} '
                f'{two[i]} in place of {one[i]}; test both on the same data'
            )
    for field in ('targets', 'sizes'):
        one, two = getattr(first, field), getattr(other, field)
        if not np.array_equal(one, two):
            n, k = np.argwhere(one != two)[0]
            raise ValueError(
                f'{path} has other {field} than the first file: {first.names[n]}, '
                f'{first.classes[k]}: {two[n, k]} in place of {one[n, k]}'
            )


def choose_classes(data: Predictions, least: int) -> np.ndarray:
    """Return the indices of the classes with at least ``least`` positives; print the others.

    Raises:
        ValueError: No class has as many.
    """
    positives = (data.targets == 1).sum(axis=0)
    kept = np.flatnonzero(positives >= least)
    if not kept.size:
        raise ValueError(f'no class has {least} positives; lower --min-positives')
    dropped = [f'{data.classes[k]} ({positives[k]})' for k in np.flatnonzero(positives < least)]
    if len(dropped) > SHOWN:
        dropped[SHOWN:] = [f'{len(dropped) - SHOWN} more']
    print(
        f'{len(data.names)} images, {len(kept)} of {len(positives)} classes with at least '
        f'{least} positive image{"s" if least > 1 else ""}'
        + (f'; left out: {", ".join(dropped)}' if dropped else '')
    )
    return kept


def frequency_parts(
    data: Predictions, config: str, bounds: Sequence[int]
) -> dict[str, NDArray[np.intp]]:
    """Divide the classes by the number of their training images; print the division.

    Args:
        data: Predictions of the classes.
        config: Config that names the training set.
        bounds: Most images of a tail class, and most of a middle class.

    Returns:
        ``'head'``, ``'middle'`` and ``'tail'`` -> indices of the classes; no part is empty.

    Raises:
        ValueError: The training set has other classes or does not count its labels.
    """
    loader = read_config(config).get('train_dataloader')
    if loader is None:
        raise ValueError(f'{config} must have a `train_dataloader`, got none')
    loader.dataset.pop('image_cache', None)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = ROOT_DATASETS.build(loader.dataset)
    if not isinstance(dataset, MultiLabelData):
        raise ValueError(
            f'the training data of {config} must be a dataset of mmmsf, which counts its labels, '
            f'got {type(dataset).__name__}'
        )
    dataset.full_init()
    check_classes(dataset.metainfo['classes'], data.classes.tolist(), config, 'the predictions')
    counts, (few, many) = dataset.label_counts(), bounds
    limits = {'head': (many, np.inf), 'middle': (few, many), 'tail': (-1, few)}
    found = {
        name: np.flatnonzero((counts > low) & (counts <= high))
        for name, (low, high) in limits.items()
    }
    print(
        f'training images of a class: over {many} in {len(found["head"])} classes (head), over '
        f'{few} in {len(found["middle"])} (middle), at most {few} in {len(found["tail"])} (tail)'
    )
    return {name: classes for name, classes in found.items() if classes.size}


def mean_of_runs(runs: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Average each metric over the runs of one model, resample by resample."""
    return {metric: np.mean([run[metric] for run in runs], axis=0) for metric in runs[0]}


def tabulate(
    names: Sequence[str], runs: Sequence[dict[str, np.ndarray]], level: float
) -> list[list[str]]:
    """Return a row for each metric of each model after the first, in percent."""
    rows = []
    for name, run in zip(names[1:], runs[1:], strict=True):
        for metric, values in run.items():
            first = runs[0][metric]
            found = paired_difference(first, values, level)
            rows.append(
                [
                    name,
                    metric,
                    f'{100 * first[0]:.2f}',
                    f'{100 * values[0]:.2f}',
                    *(f'{100 * x:+.2f}' for x in (found.value, found.low, found.high)),
                    f'{found.share_below:.3f}',
                ]
            )
    return rows


def write_table(rows: Sequence[Sequence[str]], path: str | None) -> None:
    """Print the rows as a markdown table and write them to a CSV file where one is named."""
    for cells in (HEADER, ['---'] * len(HEADER), *rows):
        print(f'| {" | ".join(cells)} |')
    if path:
        with open(path, 'w', encoding='utf-8', newline='') as file:
            csv.writer(file).writerows([HEADER, *rows])
