"""Unknown labels of a COCO file: ``neg_category_ids`` and ``not_exhaustive_category_ids``.

LVIS looks for some categories only in each image. With ``neg_category_ids`` an image names the
categories that were looked for and are not in it; of those that it neither names nor annotates,
nothing is known. With ``not_exhaustive_category_ids`` it names categories of which some instances
may have no annotation, so a category without any is unknown as well.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from .coco_annotations import Record

NEGATIVE, NOT_EXHAUSTIVE = 'neg_category_ids', 'not_exhaustive_category_ids'
Marks = tuple[NDArray[np.int64], NDArray[np.int64]]  # images and class indices, both (J,)


def _read_marks(
    path: str, images: list[Record], key: str, index_of: dict[int, int]
) -> tuple[Marks, NDArray[np.bool_]]:
    """Read the lists of one key; return them and a flag for each image that has one."""
    lists = [image.get(key) for image in images]
    for image, ids in zip(images, lists, strict=True):
        if ids is not None and type(ids) is not list:
            raise ValueError(
                f'{path}: image {image["id"]}: "{key}" must be a list of category ids, got {ids!r}'
            )
    lengths = [len(ids or ()) for ids in lists]
    rows = np.repeat(np.arange(len(images)), lengths)
    flat = list(itertools.chain.from_iterable(ids or () for ids in lists))
    labels = np.array([index_of.get(x, -1) if type(x) is int else -1 for x in flat], np.int64)
    if (labels < 0).any():
        wrong = int(np.argmin(labels))
        raise ValueError(
            f'{path}: image {images[rows[wrong]]["id"]}: "{key}" must be ids of "categories", got '
            f'{flat[wrong]!r}; add the category there or remove the id here'
        )
    return (rows, labels), np.array([ids is not None for ids in lists], np.bool_)


def _check_negatives(
    path: str,
    images: list[Record],
    categories: list[Record],
    negative: Marks,
    given: NDArray[np.bool_],
    annotated: Marks,
) -> None:
    """Refuse an image without a list among others, and a category on both sides."""
    if not given.all():
        raise ValueError(
            f'{path}: image {images[int(np.argmin(given))]["id"]} has no "{NEGATIVE}", but '
            f'{given.sum()} of {len(images)} images do; list there the categories that it was '
            'searched for in vain, [] for none'
        )
    pairs, known = (one * len(categories) + other for one, other in (negative, annotated))
    both = np.isin(pairs, known)
    if both.any():
        first = int(np.argmax(both))
        raise ValueError(
            f'{path}: image {images[negative[0][first]]["id"]}: the category '
            f'{categories[negative[1][first]]["name"]!r} is annotated, and in "{NEGATIVE}"; '
            'remove one of the two'
        )


def find_unknowns(
    path: str, images: list[Record], categories: list[Record], rows: np.ndarray, labels: np.ndarray
) -> tuple[Marks, NDArray[np.bool_]]:
    """Find the classes of each image that are known to be negative, or else to be unknown.

    Args:
        path: File name for the messages.
        images: N images.
        categories: K categories in the order of the class indices.
        rows: Image of each of I instances, shape (I,).
        labels: Class index of each instance, shape (I,).

    Returns:
        Arguments ``listed`` and ``partial`` of :meth:`LabelTable.from_columns`.

    Raises:
        ValueError: A list is of another type or names no category, only some of the images have
            ``neg_category_ids``, or a category is annotated in an image and in that list; names
            the file and the image.
    """
    index_of = {category['id']: k for k, category in enumerate(categories)}
    open_marks, _ = _read_marks(path, images, NOT_EXHAUSTIVE, index_of)
    negative, partial = _read_marks(path, images, NEGATIVE, index_of)
    if not partial.any():
        return open_marks, partial
    _check_negatives(path, images, categories, negative, partial, (rows, labels))
    pairs = negative[0] * len(categories) + negative[1]
    pairs = np.setdiff1d(pairs, open_marks[0] * len(categories) + open_marks[1])
    return (pairs // len(categories), pairs % len(categories)), partial
