"""Lists of class names: read, checked and compared."""

from collections.abc import Sequence

from .readers.files import find_repeated, read_text


def check_classes(classes: Sequence[str]) -> None:
    """Refuse a list of class names that is empty or repetitive, or is no list of names.

    Raises:
        ValueError: ``classes`` is a string, is empty, repeats a name or has an entry of another
            type.
    """
    if isinstance(classes, str):
        raise ValueError(f'classes must be a list of names, got {classes!r}; write [{classes!r}]')
    strange = [name for name in classes if not isinstance(name, str)]
    if strange:
        raise ValueError(f'classes must be strings, got also {strange}; put them in quotes')
    if not classes:
        raise ValueError('classes must name at least one class, got none')
    repeated = find_repeated(classes)
    if repeated:
        raise ValueError(f'classes must be distinct, these occur more than once: {repeated}')


def class_difference(one: Sequence[str], other: Sequence[str]) -> list[str] | str:
    """Describe how two lists of class names differ: the names that only one of them has."""
    names = sorted(set(one) ^ set(other))
    if names or len(one) != len(other):
        return names
    k = next((k for k, pair in enumerate(zip(one, other, strict=True)) if len(set(pair)) > 1), 0)
    return f'the same names in another order, from index {k} on: {one[k]!r} and {other[k]!r}'


def read_classes(path: str) -> list[str]:
    """Read class names from a text file, one a line; blank lines are skipped.

    Raises:
        OSError: ``path`` does not exist or cannot be read.
        ValueError: The content is not UTF-8 text, or empty.
    """
    remedy = f'name a file with a class a line, or write the names as a list: [{path!r}]'
    names = [line.strip() for line in read_text(path, 'class list', remedy).splitlines()]
    names = [name for name in names if name]
    if not names:
        raise ValueError(f'{path}: names no class; write one a line')
    return names
