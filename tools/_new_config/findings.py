"""Text about the images and labels that were found."""

from collections.abc import Mapping, Sequence

import numpy as np
from _check import ImageFacts, SplitLabels, SplitSummary, summarize_split
from _check_text import format_duplicates, size_line

from mmmsf.evaluation.tables import format_table

SHOWN = 12  # classes in the table, and at most so many names in a line
NAMED = 3  # duplicates of each pair of splits


def _names(names: Sequence[str]) -> str:
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(names[:SHOWN]) + more


def _class_table(train: SplitSummary, val: SplitSummary) -> str:
    """Format the counts of the classes, the most frequent first; of many the ends only."""
    order = np.argsort(-train.positives, kind='stable').tolist()
    rows = [[train.classes[k], f'{train.positives[k]:,}', f'{val.positives[k]:,}'] for k in order]
    if len(rows) > SHOWN:
        half, left = SHOWN // 2, len(rows) - SHOWN
        rows = [*rows[:half], [f'({left} more)', '', ''], *rows[-half:]]
    return format_table(['class', 'train', 'val'], rows)


def _imbalance(train: SplitSummary) -> str:
    most, least = int(train.positives.argmax()), int(train.positives.argmin())
    counts = train.positives[[most, least]]
    text = f'{train.classes[most]} is in {counts[0]:,} training images, {train.classes[least]} in '
    return f'imbalance: {text}{counts[1]:,}' + (
        f' ({counts[0] / counts[1]:.0f}:1)' if counts[1] else ''
    )


def unreadable(facts: Mapping[str, ImageFacts]) -> list[str]:
    """List the reasons why images cannot be used."""
    return [fact.fault for fact in facts.values() if fact.fault]


def median_side(facts: Mapping[str, ImageFacts]) -> int:
    """Return the median of the images' shorter sides in pixels."""
    return int(np.median([min(fact.width, fact.height) for fact in facts.values()]))


def describe(train: SplitLabels, val: SplitLabels, facts: Mapping[str, ImageFacts]) -> str:
    """Write a paragraph on two splits: counts, sizes, imbalance, and what is wrong with them.

    Args:
        train: Labels of the training images.
        val: Labels of the validation images, with the same classes.
        facts: Facts of all images by path.
    """
    both = [summarize_split(split, facts) for split in (train, val)]
    numbers = [x.num_images for x in both]
    labels = sum(int(x.positives.sum()) for x in both) / sum(numbers)
    lines = [
        f'{numbers[0]:,} images to train, {numbers[1]:,} to validate; {len(train.classes)} '
        f'classes, {labels:.2f} labels an image, {sum(x.num_unlabelled for x in both):,} images '
        'without a label',
        f'train: {size_line(both[0])}',
        _class_table(*both),
        _imbalance(both[0]),
    ]
    for split in both:
        absent = [name for name, x in zip(split.classes, split.positives, strict=True) if x == 0]
        if absent:
            lines.append(f'WARNING: no image of {split.name} has {_names(absent)}')
    if unknown := sum(int(x.ignored.sum()) for x in both):
        lines.append(f'{unknown:,} labels are unknown: loss and metric leave them out')
    duplicates = format_duplicates([train, val], facts, NAMED)
    lines.append(f'WARNING: equal files:\n{duplicates}' if duplicates else 'no image occurs twice')
    return '\n'.join(lines)
