"""Groups of classes that exclude each other: their form, targets and decisions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RULES = ('one', 'at_most_one')
UNKNOWN = -1
TOLERANCE = 1e-3  # of a sum of mixed targets
_KEYS = {'name', 'classes', 'rule'}


@dataclass(frozen=True)
class Group:
    """Hold M classes of which exactly one, or at most one, holds in an image.

    Attributes:
        name: Name of the group, such as ``'colour'``.
        classes: Class indices, shape (M,).
        rule: ``'one'``, or ``'at_most_one'``: then "none of them" is a further outcome.
    """

    name: str
    classes: tuple[int, ...]
    rule: str

    @property
    def columns(self) -> NDArray[np.int64]:
        """Class indices as an array (M,)."""
        return np.array(self.classes, np.int64)


def _index(name: Any, group: str, places: Mapping[str, int] | None, where: str) -> int:
    """Return the index of a class that a group names, or raise ValueError."""
    start = f'{where}: the group {group!r} names the class {name!r}'
    if isinstance(name, str):
        if places is None:
            raise ValueError(f'{start}, but there are no class names: set `classes`')
        if name not in places:
            raise ValueError(f'{start}, which is not among the {len(places)} classes')
        return places[name]
    if isinstance(name, bool) or not isinstance(name, int | np.integer):
        raise ValueError(f'{start}; a class must be a name or an index')
    if name < 0 or (places is not None and name >= len(places)):
        raise ValueError(f'{start}; an index must be from 0 and below the number of classes')
    return int(name)


def _parse(entry: Any, number: int, places: Mapping[str, int] | None, where: str) -> Group:
    if not isinstance(entry, Mapping) or set(entry) != _KEYS:
        got = sorted(entry) if isinstance(entry, Mapping) else entry
        raise ValueError(
            f'{where}: group {number} must be a dict with the keys {sorted(_KEYS)}, got {got!r}'
        )
    name, members, rule = entry['name'], entry['classes'], entry['rule']
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f'{where}: the name of group {number} must be a text, got {name!r}')
    if rule not in RULES:
        raise ValueError(f'{where}: `rule` of the group {name!r} must be of {RULES}, got {rule!r}')
    if isinstance(members, str) or not isinstance(members, Sequence) or len(members) < 2:
        raise ValueError(
            f'{where}: the group {name!r} must list at least two classes, got {members!r}'
        )
    return Group(name, tuple(_index(x, name, places, where) for x in members), rule)


def parse_groups(
    groups: Sequence[Mapping[str, Any]] | None,
    classes: Sequence[str] | None = None,
    where: str = 'groups',
) -> tuple[Group, ...]:
    """Convert groups of a config or a file.

    Args:
        groups: ``dict(name='colour', classes=['red', 'green'], rule='one')`` each; the classes by
            name or index. None means no group.
        classes: K class names; None if they are not known and the groups have indices.
        where: Origin of the groups, for the messages.

    Returns:
        The groups, with indices.

    Raises:
        ValueError: A group has other keys, an unknown rule, fewer than two classes or an unknown
            one; or two groups share a name or a class.
    """
    if groups is None:
        return ()
    if isinstance(groups, str | Mapping) or not isinstance(groups, Sequence):
        raise ValueError(f'{where}: the groups must be a list of dicts, got {groups!r}')
    places = None if classes is None else {name: k for k, name in enumerate(classes)}
    found = tuple(_parse(entry, i, places, where) for i, entry in enumerate(groups))
    owner: dict[int, str] = {}
    repeated = [x for x, count in Counter(group.name for group in found).items() if count > 1]
    if repeated:
        raise ValueError(f'{where}: two groups have the name {repeated[0]!r}')
    for group in found:
        for k in group.classes:
            if k in owner:
                name = k if classes is None else classes[k]
                raise ValueError(
                    f'{where}: the class {name!r} occurs in the group {owner[k]!r} and in the '
                    f'group {group.name!r}; a class may occur once'
                )
            owner[k] = group.name
    return found


def name_groups(groups: Sequence[Group], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Convert groups to the dicts of :func:`parse_groups`, by class names: data for JSON."""
    return [
        dict(name=group.name, classes=[str(classes[k]) for k in group.classes], rule=group.rule)
        for group in groups
    ]


def same_groups(one: Sequence[Group], other: Sequence[Group]) -> bool:
    """Return True if two lists differ at most in the order of groups and of their classes."""
    forms = [{(x.name, x.rule, frozenset(x.classes)) for x in groups} for groups in (one, other)]
    return forms[0] == forms[1]


def describe_groups(groups: Sequence[Group]) -> str:
    """Format names, rules and sizes: ``colour (one of 3), type (at most one of 2)``."""
    return (
        ', '.join(f'{x.name} ({x.rule.replace("_", " ")} of {len(x.classes)})' for x in groups)
        or 'none'
    )


def broken_rows(targets: NDArray[Any], group: Group) -> NDArray[np.bool_]:
    """Find the images whose targets no outcome of a group explains.

    Args:
        targets: (N, K): 1 positive, 0 negative, in between for mixed images, -1 unknown.
        group: Group; targets are distributions over its outcomes.

    Returns:
        (N,), True where the sum is above one, or where rule ``'one'`` has no class left.
    """
    part = targets[:, group.columns].astype(np.float64)
    unknown = part == UNKNOWN
    total = np.where(unknown, 0, part).sum(axis=1)
    broken: NDArray[np.bool_] = total > 1 + TOLERANCE
    if group.rule == 'one':
        broken |= ~unknown.any(axis=1) & (total < 1 - TOLERANCE)
    return broken


def describe_fault(target: NDArray[Any], group: Group, classes: Sequence[Any]) -> str:
    """Describe targets (K,) that :func:`broken_rows` finds, by the names in ``classes``."""
    labels = [classes[k] for k in group.classes if target[k] > 0]
    wanted = group.rule.replace('_', ' ')
    return f'{labels or "no label"} of the group {group.name!r}, of which {wanted} must hold'


def true_outcomes(targets: NDArray[Any], group: Group) -> NDArray[np.int64]:
    """Return the true outcome of a group in each image.

    Args:
        targets: (N, K): 1, 0 or -1; of a broken row the outcome means nothing.
        group: Group of M classes.

    Returns:
        (N,): place 0 to M - 1 of the class in the group, M for none of them, -1 if unknown. One
        positive makes an image known whatever else is unknown.
    """
    part = targets[:, group.columns]
    positive = (part == 1).any(axis=1)
    unknown = (part == UNKNOWN).any(axis=1)
    outcome = np.where(positive, (part == 1).argmax(axis=1), len(group.classes))
    return np.where(unknown & ~positive, UNKNOWN, outcome)


def exclusive_decisions(
    decisions: NDArray[np.bool_], scores: NDArray[Any], groups: Sequence[Group]
) -> NDArray[np.bool_]:
    """Make decisions keep the rules of groups.

    Of a group the class with the highest score (of equal ones the first) is chosen: always where
    one must hold, if it was decided where at most one may.

    Args:
        decisions: (..., K), decided class by class, such as by thresholds; not changed.
        scores: (..., K).
        groups: Groups; other classes keep their decisions.

    Returns:
        (..., K).
    """
    if not groups:
        return decisions
    result = decisions.copy()
    for group in groups:
        columns = group.columns
        top = scores[..., columns].argmax(axis=-1)
        chosen = np.arange(len(columns)) == top[..., None]
        if group.rule == 'at_most_one':
            chosen &= decisions[..., columns]
        result[..., columns] = chosen
    return result


def highest_of_groups(scores: NDArray[Any], groups: Sequence[Group]) -> NDArray[np.bool_]:
    """Return (..., K): True for the highest score of each group and for all other classes."""
    return exclusive_decisions(np.ones(scores.shape, bool), scores, groups)


def ungated_classes(groups: Sequence[Group]) -> list[int]:
    """List the classes to which no threshold applies: those of groups of which one must hold."""
    return sorted(k for group in groups if group.rule == 'one' for k in group.classes)


def group_results(
    scores: NDArray[Any],
    decisions: NDArray[np.bool_],
    groups: Sequence[Group],
    classes: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """Collect the outcome of each group in one image.

    Args:
        scores: (K,), a softmax in each group.
        decisions: (K,) by :func:`exclusive_decisions`.
        groups: Groups.
        classes: K class names.

    Returns:
        ``label`` and ``score`` by the group's name; for none of the classes None and the rest to 1.
    """
    found = {}
    for group in groups:
        columns = group.columns
        chosen = columns[decisions[columns]]
        if len(chosen):
            k = int(chosen[0])
            found[group.name] = dict(label=classes[k], score=float(scores[k]))
        else:
            rest = 1.0 - float(scores[columns].sum(dtype=np.float64))
            found[group.name] = dict(label=None, score=max(rest, 0.0))
    return found
