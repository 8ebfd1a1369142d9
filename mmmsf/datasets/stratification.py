"""Splits and folds of multi-label data that keep the share of every class.

Iterative stratification after Sechidis, Tsoumakas and Vlahavas, "On the stratification of
multi-label data" (ECML PKDD 2011): the images of the rarest class are dealt out first, each to the
part that lacks the class most. Since an image has other classes as well, some images are moved in
the end.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Sequence

import numpy as np

Labels = Sequence[Collection[Hashable]]
Numbers = dict[Hashable, list[int]]  # of images with the label, for each part
PASSES = 10


def _deal(labels: Labels, wanted: Numbers, sizes: Sequence[int], unit: int, seed: int) -> list[int]:
    """Deal the images out to the parts.

    Args:
        labels: Labels of each image.
        wanted: Number of images with each label that each part should get, times ``unit``.
        sizes: Number of images that each part should get, times ``unit``.
        unit: Factor that makes these numbers whole, so that no sum depends on its order.
        seed: Seed of the order of the images with the same labels.

    Returns:
        Part of each image.
    """
    place = np.random.default_rng(seed).permutation(len(labels)).tolist()
    holders: dict[Hashable, set[int]] = {label: set() for label in wanted}
    at: list[list[Hashable]] = [[] for _ in labels]
    for image, own in enumerate(labels):
        at[place[image]] = list(set(own))
        for label in set(own):
            holders[label].add(place[image])
    left = {label: list(numbers) for label, numbers in wanted.items()}
    room = list(sizes)
    part_of = [-1] * len(labels)

    def put(i: int, part: int) -> None:
        part_of[i] = part
        room[part] -= unit
        for label in at[i]:
            holders[label].discard(i)
            left[label][part] -= unit

    parts = range(len(room))
    single = {label for label, places in holders.items() if len(places) == 1}
    while waiting := [label for label, places in holders.items() if places]:
        waiting = [label for label in waiting if label not in single] or waiting
        fewest = min(len(holders[label]) for label in waiting)
        tied = [label for label in waiting if len(holders[label]) == fewest]
        # Labels of the same images can be exchanged, so the result needs no order of the labels
        rarest = min(tied, key=lambda label: sorted(holders[label]))
        for i in sorted(holders[rarest]):
            put(i, max(parts, key=lambda part: (left[rarest][part], room[part], -part)))
    for i, part in enumerate(part_of):
        if part < 0:
            put(i, max(parts, key=lambda part: (room[part], -part)))
    _improve(at, part_of, wanted, left, room, unit)
    return [part_of[i] for i in place]


def _improve(
    labels: Sequence[list[Hashable]],
    part_of: list[int],
    wanted: Numbers,
    left: Numbers,
    room: list[int],
    unit: int,
) -> None:
    """Move images as long as that lowers the sum of the squares of ``left`` and ``room``.

    The last image of a class stays in its part.
    """
    for _ in range(PASSES):
        moved = False
        for i, own in enumerate(labels):
            old = part_of[i]
            if any(wanted[label][old] - left[label][old] <= unit for label in own):
                continue
            numbers = [room, *(left[label] for label in own)]
            new = max(range(len(room)), key=lambda part: sum(one[part] for one in numbers))
            if sum(one[old] - one[new] + unit for one in numbers) < 0:
                for one in numbers:
                    one[old] += unit
                    one[new] -= unit
                part_of[i], moved = new, True
        if not moved:
            return


def stratified_split(labels: Labels, ratio: float, seed: int = 0) -> list[bool]:
    """Choose a share of the images for validation, with about that share of every class.

    A class with two or more images is on both sides where the other classes allow it; one with a
    single image counts last. The order and the names of the classes have no influence.

    Args:
        labels: Labels of each image; an image may have none.
        ratio: Share of the images to choose, between 0 and 1.
        seed: Seed of the choice.

    Returns:
        True for each image that is chosen; at least one is, and one is not.

    Raises:
        ValueError: ``ratio`` is not between 0 and 1, or there are fewer than two images.

    Example:
        >>> sum(stratified_split([['cat'], ['dog'], ['cat', 'dog'], []] * 5, 0.2))
        4
    """
    if not 0 < ratio < 1:
        raise ValueError(f'ratio must be between 0 and 1, got {ratio}')
    if len(labels) < 2:
        raise ValueError(f'a split needs at least two images, got {len(labels)}')

    def share(count: int) -> list[int]:
        if count == 1:  # the image goes where there is room
            return [0, 0]
        chosen = min(max(round(ratio * count), 1), count - 1)
        return [count - chosen, chosen]

    counts = Counter(label for own in labels for label in set(own))
    wanted = {label: share(count) for label, count in counts.items()}
    return [part == 1 for part in _deal(labels, wanted, share(len(labels)), 1, seed)]


def stratified_folds(labels: Labels, num_folds: int, seed: int = 0) -> list[int]:
    """Divide the images into folds of about the same size, with about as many of every class.

    Args:
        labels: Labels of each image; an image may have none.
        num_folds: Number of folds, at least 2 and at most the number of images.
        seed: Seed of the choice.

    Returns:
        Fold of each image, from 0.

    Raises:
        ValueError: ``num_folds`` is out of range.
    """
    if not 2 <= num_folds <= len(labels):
        raise ValueError(
            f'num_folds must be 2 to the number of images, {len(labels)}, got {num_folds}'
        )
    counts = Counter(label for own in labels for label in set(own))
    wanted = {label: [count] * num_folds for label, count in counts.items()}
    return _deal(labels, wanted, [len(labels)] * num_folds, num_folds, seed)
