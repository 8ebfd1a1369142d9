"""Sizes of the public benchmarks, and recognition of their splits."""

from collections.abc import Sequence
from dataclasses import dataclass

from mmmsf.datasets.categories import COCO_CLASSES, VOC_CLASSES


@dataclass(frozen=True)
class OfficialSplit:
    """Describe one split of a public benchmark.

    Attributes:
        name: Name of benchmark and split.
        classes: Class names.
        num_images: Number of images.
        num_unlabelled: Number of images without a label; None if it depends on the treatment of
            difficult objects, or is not public.
    """

    name: str
    classes: tuple[str, ...]
    num_images: int
    num_unlabelled: int | None = None


OFFICIAL_SPLITS = (
    OfficialSplit('COCO 2014 train', COCO_CLASSES, 82_783, 702),
    OfficialSplit('COCO 2014 val', COCO_CLASSES, 40_504, 367),
    OfficialSplit('VOC 2007 trainval', VOC_CLASSES, 5_011),
    OfficialSplit('VOC 2007 test', VOC_CLASSES, 4_952),
    OfficialSplit('VOC 2012 trainval', VOC_CLASSES, 11_540),
    OfficialSplit('VOC 2012 train', VOC_CLASSES, 5_717),
    OfficialSplit('VOC 2012 val', VOC_CLASSES, 5_823),
    OfficialSplit('VOC 2012 test', VOC_CLASSES, 10_991),
)


def recognize(classes: Sequence[str], num_images: int, num_unlabelled: int) -> str:
    """Recognize the split of a public benchmark by its classes and counts.

    Args:
        classes: Class names in any order.
        num_images: Number of images of the split.
        num_unlabelled: Number of its images without a label.

    Returns:
        One line: the name of the split, with the difference if the counts deviate; if no count
        fits, the official splits with these classes.
    """
    same_classes = [split for split in OFFICIAL_SPLITS if set(split.classes) == set(classes)]
    if not same_classes:
        return 'own data: its classes are those of no known benchmark'
    for split in same_classes:
        total, empty = split.num_images, split.num_unlabelled
        if num_images == total and empty in (None, num_unlabelled):
            return f'{split.name}: the number of images is the official one' + (
                '' if empty is None else ', so is that of the unlabelled ones'
            )
        if num_images == total:
            return (
                f'{split.name}, but with {num_unlabelled:,} images without a label where the '
                f'official file has {empty:,}: the annotations are not the official ones'
            )
        if empty is not None and num_images == total - empty and num_unlabelled == 0:
            return f'{split.name} without its {empty:,} unlabelled images'
    benchmark = same_classes[0].name.split()[0]
    counts = ', '.join(f'{split.name} {split.num_images:,}' for split in same_classes)
    return (
        f'the classes of {benchmark}, but {num_images:,} images is the size of no official '
        f'split ({counts}): a part of one, or own data'
    )
