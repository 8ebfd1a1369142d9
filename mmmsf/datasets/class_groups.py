"""Check of a dataset's labels against its exclusive groups."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from mmmsf.utils.groups import Group, broken_rows, describe_fault, true_outcomes

CHUNK = 512  # images at once
NAMED = 5  # images in a message


def check_group_labels(
    where: str,
    images: Iterable[tuple[str, np.ndarray]],
    groups: Sequence[Group],
    classes: Sequence[str],
) -> str:
    """Check that the labels of all images keep the rules of the groups.

    Args:
        where: Annotation file, for the messages.
        images: Name and targets (K,) of each image: 1, 0, or -1 for unknown.
        groups: Exclusive groups.
        classes: K class names.

    Returns:
        One sentence: for each group its rule, and the number of images in which its outcome is
        known, none of its classes, and unknown.

    Raises:
        ValueError: Labels break a rule; names the first images, their labels and the group, and
            counts the others.
    """
    faults: list[str] = []
    counts = np.zeros((len(groups), 3), np.int64)  # known, none, unknown
    iterator = iter(images)
    while chunk := list(islice(iterator, CHUNK)):
        targets = np.stack([target for _, target in chunk])
        for count, group in zip(counts, groups, strict=True):
            broken = broken_rows(targets, group)
            for i in np.flatnonzero(broken):
                faults.append(f'{chunk[i][0]} has {describe_fault(targets[i], group, classes)}')
            outcomes = true_outcomes(targets, group)[~broken]
            none, unknown = outcomes == len(group.classes), outcomes < 0
            count += (~unknown).sum(), none.sum(), unknown.sum()
    if faults:
        more = f'; and {len(faults) - NAMED} more' if len(faults) > NAMED else ''
        raise ValueError(
            f'{where}: labels must keep the rules of `groups`: {"; ".join(faults[:NAMED])}{more}. '
            'Repair the labels, mark doubtful ones as unknown, or change the rule'
        )
    parts = [
        f'{group.name} ({group.rule.replace("_", " ")} of {len(group.classes)}) is known in '
        f'{known} images, {none} of these with none of them, and unknown in {unknown}'
        for group, (known, none, unknown) in zip(groups, counts.tolist(), strict=True)
    ]
    return f'{where}: {"; ".join(parts)}'


def image_targets(items: Iterable[dict[str, Any]], encode: Any) -> Iterable[tuple[str, np.ndarray]]:
    """Yield path and targets of the items of a dataset.

    Args:
        items: Items with ``img_path``, ``gt_label`` and, where given, ``gt_ignore``.
        encode: Function from labels and ignored classes to targets (K,).
    """
    for item in items:
        yield item['img_path'], encode(item['gt_label'], item.get('gt_ignore', ()))
