"""Groups of a config, and the decisions that their rules allow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmmsf.utils.groups import (
    Group,
    broken_rows,
    exclusive_decisions,
    group_results,
    highest_of_groups,
    name_groups,
    parse_groups,
    same_groups,
    true_outcomes,
    ungated_classes,
)

CLASSES = ['red', 'green', 'square', 'disc', 'striped']
COLOUR = dict(name='colour', classes=['red', 'green'], rule='one')
SHAPE = dict(name='shape', classes=['disc', 'square'], rule='at_most_one')
GROUPS = (Group('colour', (0, 1), 'one'), Group('shape', (3, 2), 'at_most_one'))


def test_groups_by_name_and_by_index_are_the_same() -> None:
    assert parse_groups([COLOUR, SHAPE], CLASSES) == GROUPS
    by_index = [{**COLOUR, 'classes': [0, 1]}, {**SHAPE, 'classes': [3, 2]}]
    assert parse_groups(by_index) == parse_groups(by_index, CLASSES) == GROUPS
    assert name_groups(GROUPS, CLASSES) == [COLOUR, SHAPE]
    assert parse_groups(None) == parse_groups([]) == ()
    assert ungated_classes(GROUPS) == [0, 1]


def test_order_of_groups_and_of_their_classes_does_not_matter() -> None:
    other = (Group('shape', (2, 3), 'at_most_one'), Group('colour', (1, 0), 'one'))
    assert same_groups(GROUPS, other)
    assert not same_groups(GROUPS, other[:1])
    assert not same_groups(GROUPS, (other[0], Group('colour', (1, 0), 'at_most_one')))


@pytest.mark.parametrize(
    ('groups', 'named'),
    [
        (COLOUR, 'list of dicts'),
        (['colour'], "'colour'"),
        ([dict(name='colour', classes=['red', 'green'])], 'rule'),
        ([{**COLOUR, 'weight': 2}], 'weight'),
        ([{**COLOUR, 'name': ' '}], "' '"),
        ([{**COLOUR, 'rule': 'two'}], "'two'"),
        ([{**COLOUR, 'classes': ['red']}], "'red'"),
        ([{**COLOUR, 'classes': 'red'}], "'red'"),
        ([{**COLOUR, 'classes': ['red', 'blue']}], "'blue'"),
        ([{**COLOUR, 'classes': ['red', 5]}], '5'),
        ([{**COLOUR, 'classes': ['red', -1]}], '-1'),
        ([{**COLOUR, 'classes': [0, True]}], 'True'),
        ([{**COLOUR, 'classes': ['red', 'red']}], "'red'"),
        ([COLOUR, {**SHAPE, 'classes': ['disc', 'red']}], "'red'"),
        ([COLOUR, {**SHAPE, 'name': 'colour'}], "'colour'"),
    ],
)
def test_bad_groups_are_refused_by_name(groups: object, named: str) -> None:
    with pytest.raises(ValueError, match=f'here.*{named}'):
        parse_groups(groups, CLASSES, 'here')  # type: ignore[arg-type]


def test_names_need_the_names_of_the_classes() -> None:
    with pytest.raises(ValueError, match="'red'.*classes"):
        parse_groups([COLOUR])


SCORES = arrays(np.float32, (3, 5), elements=st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.8, 1.0]))


@settings(max_examples=60, deadline=None)
@given(SCORES)
def test_decisions_equal_a_slow_loop_and_keep_the_rules(scores: np.ndarray) -> None:
    decided = scores >= 0.4
    before = decided.copy()
    found = exclusive_decisions(decided, scores, GROUPS)
    assert (decided == before).all()
    for row, one, chosen in zip(scores.tolist(), decided.tolist(), found.tolist(), strict=True):
        colour = [False, False]
        colour[row[:2].index(max(row[:2]))] = True
        best = 3 if row[3] >= row[2] else 2
        shape = [best == 2 and one[2], best == 3 and one[3]]
        assert chosen == [*colour, *shape, one[4]]
    assert not any(broken_rows(found.astype(np.int8), group).any() for group in GROUPS)
    np.testing.assert_array_equal(exclusive_decisions(decided[0], scores[0], GROUPS), found[0])
    top = highest_of_groups(scores, GROUPS)
    assert (top.sum(axis=1) == 3).all() and top[:, 4].all()


def test_outcomes_and_broken_rules_of_targets() -> None:
    targets = np.array(
        [
            [1, 0, 0, 0, 0],
            [1, -1, -1, 1, 0],
            [-1, 0, -1, 0, 0],
            [-1, -1, -1, -1, 0],
            [1, 1, 1, 1, 0],
            [0, 0, 0, 0, 0],
            [0.7, 0.3, 0.2, 0.2, 0],  # a mixed image
            [0.7, 0.7, -1, 0.2, 0],
        ]
    )
    assert broken_rows(targets, GROUPS[0]).tolist() == [False] * 4 + [True, True, False, True]
    assert broken_rows(targets, GROUPS[1]).tolist() == [False] * 4 + [True, False, False, False]
    assert true_outcomes(targets[:4], GROUPS[0]).tolist() == [0, 0, -1, -1]
    assert true_outcomes(targets[:4], GROUPS[1]).tolist() == [2, 0, -1, -1]


def test_result_of_an_image() -> None:
    scores = np.array([0.3, 0.7, 0.1, 0.3, 0.9], np.float32)
    decided = exclusive_decisions(scores >= 0.5, scores, GROUPS)
    found = group_results(scores, decided, GROUPS, CLASSES)
    assert found['colour'] == dict(label='green', score=pytest.approx(0.7))
    assert found['shape'] == dict(label=None, score=pytest.approx(0.6))
