"""Choice of a dataset's classes among those of its annotations: a part of them, renamed, merged."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SHOWN = 20  # names in a message


@dataclass(frozen=True)
class ClassSelection:
    """Hold the classes of a dataset and where the annotations' names go.

    Attributes:
        classes: Names in the order of their indices.
        index_of: Index of each name of the annotations; names that are dropped are absent.
        message: One sentence on names that are dropped, merged or never occur; empty if there is
            none.
    """

    classes: tuple[str, ...]
    index_of: Mapping[str, int]
    message: str = ''


def _show(names: Sequence[str], counts: Mapping[str, int]) -> str:
    """List names with their counts, the most frequent first."""
    ordered = sorted(names, key=lambda name: (-counts.get(name, 0), name))
    text = ', '.join(f'{name!r} ({counts.get(name, 0)})' for name in ordered[:SHOWN])
    return text + (f' and {len(ordered) - SHOWN} more' if len(ordered) > SHOWN else '')


def _check_known(where: str, argument: str, names: Sequence[str], found: Sequence[str]) -> None:
    """Refuse names that the annotations do not have."""
    for name in names:
        if name not in found:
            close = difflib.get_close_matches(name, found, 1)
            hint = f'; did you mean {close[0]!r}?' if close else ''
            shown = ', '.join(map(repr, found[:SHOWN])) + (', ...' if len(found) > SHOWN else '')
            raise ValueError(
                f'{where}: {argument} must name classes of the file, got {name!r}, '
                f'but it has {shown}{hint}'
            )


def select_classes(
    where: str,
    counts: Mapping[str, int],
    wanted: Sequence[str] | None = None,
    rename: Mapping[str, str] | None = None,
    drop_absent: bool = False,
    complete: bool = False,
) -> ClassSelection:
    """Choose the classes of a dataset among those of its annotations.

    Args:
        where: Annotation file, for the messages.
        counts: Number of labels of each name, in the order in which the names should be indexed.
        wanted: Classes of the dataset in the order of their indices, after renaming; None takes
            all.
        rename: New name of some names; names with the same new name are merged.
        drop_absent: If True, leave out the names without any label. Only without ``wanted``.
        complete: True for annotations that list their classes. A wanted or renamed name that is
            not among them is an error then; else it may be without a label here, and the message
            says so.

    Returns:
        The classes, and the index of each name that is kept.

    Raises:
        ValueError: ``drop_absent`` is set with ``wanted``; a name is not in a complete list; none
            of the wanted classes occurs, or no class is left.
    """
    if drop_absent and wanted is not None:
        raise ValueError(
            f'{where}: drop_absent chooses the classes by their counts, so it must be False where '
            'classes are given'
        )
    rename = rename or {}
    if complete:
        _check_known(where, 'rename_classes', list(rename), list(counts))
    merged: dict[str, int] = {}
    for name, count in counts.items():
        new = rename.get(name, name)
        merged[new] = merged.get(new, 0) + count
    if wanted is None:
        classes = [name for name, count in merged.items() if count or not drop_absent]
    else:
        classes = list(wanted)
        if complete:
            _check_known(where, 'classes', classes, list(merged))
    if not classes:
        raise ValueError(f'{where}: there is no class with a label')
    if wanted is not None and any(merged.values()) and not any(merged.get(x) for x in classes):
        raise ValueError(
            f'{where}: none of the configured classes {classes[:SHOWN]} has a label; the file has '
            f'{_show(list(merged), merged)}'
        )
    index_of = {name: k for k, name in enumerate(classes)}
    dropped = [name for name in merged if name not in index_of]
    never = [name for name in classes if not merged.get(name)]
    parts = []
    if dropped:
        parts.append(f'{len(dropped)} dropped, with their labels: {_show(dropped, merged)}')
    if never and wanted is not None:
        parts.append(f'{len(never)} have no label here: {", ".join(map(repr, never[:SHOWN]))}')
    joined = sorted({rename[x] for x in rename if x in counts and rename[x] != x})
    if joined:
        parts.append(f'renamed or merged into {", ".join(map(repr, joined[:SHOWN]))}')
    message = f'{where}: {len(classes)} classes; ' + '; '.join(parts) if parts else ''
    found = {name: index_of[new] for name in counts if (new := rename.get(name, name)) in index_of}
    return ClassSelection(tuple(classes), found, message)
