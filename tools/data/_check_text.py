"""Text output of ``check_data.py``."""

from collections.abc import Mapping, Sequence

from _check import ImageFacts, SplitLabels, SplitSummary, find_repeats, find_shared
from _official import recognize

from mmmsf.evaluation.tables import format_table

MAX_NAMED = 20  # duplicates printed per pair of splits


def _indent(text: str) -> str:
    return '\n'.join('  ' + line for line in text.splitlines())


def size_line(summary: SplitSummary) -> str:
    """Format the sizes of the images that could be opened."""
    sizes = summary.sizes
    if not len(sizes):
        return 'image sizes: unknown, no image could be opened'
    smallest, median, largest = (
        f'{width} x {height}' for width, height in (sizes[0], sizes[len(sizes) // 2], sizes[-1])
    )
    return (
        f'image sizes (px, by area): min {smallest}, median {median}, max {largest}; '
        f'shortest side {sizes.min()}, longest {sizes.max()}'
    )


def _label_line(summary: SplitSummary) -> str:
    histogram = summary.histogram
    numbers = histogram.nonzero()[0]
    mean = summary.positives.sum() / summary.num_images
    counts = ', '.join(f'{number}: {histogram[number]:,}' for number in numbers)
    return (
        f'labels per image: min {numbers[0]}, mean {mean:.2f}, max {numbers[-1]}; '
        f'images by number of labels: {counts}'
    )


def format_summary(summary: SplitSummary) -> str:
    """Format the statistics of one split, its table of classes and its faults by name."""
    lines = [
        f'{summary.name}: {summary.num_images:,} images, {summary.num_unlabelled:,} without '
        'a label',
        '  believed to be '
        + recognize(summary.classes, summary.num_images, summary.num_unlabelled),
        '  ' + _label_line(summary),
        '  ' + size_line(summary),
    ]
    absent = [
        name for name, count in zip(summary.classes, summary.positives, strict=True) if count == 0
    ]
    if absent:
        lines.append(f'  {len(absent)} classes are positive in no image: {", ".join(absent)}')
    columns = {'positive': summary.positives}
    if summary.ignored.any():
        columns['ignored'] = summary.ignored
        total, unknown = summary.num_images * len(summary.classes), summary.ignored.sum()
        lines.append(
            f'  {unknown:,} of {total:,} labels ({unknown / total:.1%}) are unknown or ignored'
        )
    rows = [
        [name, *(f'{counts[k]:,}' for counts in columns.values())]
        for k, name in enumerate(summary.classes)
    ]
    lines.append(_indent(format_table(['class', *columns], rows)))
    lines += ['  ' + line for line in summary.groups]
    if summary.broken:
        lines.append(f'  {len(summary.broken)} times labels break the rule of a group:')
        lines += _indent('\n'.join(_some(summary.broken, MAX_NAMED))).splitlines()
    if summary.faults:
        lines.append(f'  {len(summary.faults)} images are missing or broken:')
        lines += ['    ' + fault for fault in summary.faults]
    return '\n'.join(lines)


def format_duplicates(
    splits: Sequence[SplitLabels], facts: Mapping[str, ImageFacts], named: int = MAX_NAMED
) -> str:
    """Format lines about equal files in two splits or within one; '' if there are none.

    Two splits of exactly the same images, such as a test set that is the validation set, take
    one line.

    Args:
        splits: Labels of each split.
        facts: Facts by path, of their images.
        named: Number of duplicates to name for each pair of splits.
    """
    lines: list[str] = []
    for i, split in enumerate(splits):
        for other in splits[i + 1 :]:
            if set(split.paths) == set(other.paths):
                lines.append(f'{split.name} and {other.name} are the same images')
                continue
            pairs = find_shared(split.paths, other.paths, facts)
            if pairs:
                lines.append(f'{len(pairs)} images are in {split.name} and in {other.name}:')
                lines += _some([f'{first} = {second}' for first, second in pairs], named)
        groups = find_repeats(split.paths, facts)
        if groups:
            lines.append(f'{len(groups)} images of {split.name} occur under several names:')
            lines += _some([' = '.join(group) for group in groups], named)
    return '\n'.join(lines)


def _some(lines: Sequence[str], named: int) -> list[str]:
    more = len(lines) - named
    return ['  ' + line for line in lines[:named]] + ([f'  and {more} more'] if more > 0 else [])
