"""Choice of classes: parts, renaming, merging, absent names."""

import pytest

from mmmsf.datasets.class_selection import select_classes

COUNTS = {'street': 0, 'bus': 2, 'car': 7, 'lorry': 1, 'truck': 3}


def test_all_by_default():
    chosen = select_classes('file', COUNTS)
    assert chosen.classes == tuple(COUNTS) and chosen.message == ''
    assert chosen.index_of == {name: k for k, name in enumerate(COUNTS)}


def test_a_part_names_and_counts_what_is_dropped():
    chosen = select_classes('file', COUNTS, ['truck', 'bus'])
    assert chosen.index_of == {'bus': 1, 'truck': 0}
    assert "3 dropped, with their labels: 'car' (7), 'lorry' (1), 'street' (0)" in chosen.message


def test_absent_names_are_dropped_on_request():
    chosen = select_classes('file', COUNTS, drop_absent=True)
    assert chosen.classes == ('bus', 'car', 'lorry', 'truck')
    assert "'street' (0)" in chosen.message


def test_merging_keeps_the_first_place():
    chosen = select_classes('file', COUNTS, rename={'lorry': 'truck', 'car': 'auto'})
    assert chosen.classes == ('street', 'bus', 'auto', 'truck')
    assert chosen.index_of == {'street': 0, 'bus': 1, 'car': 2, 'lorry': 3, 'truck': 3}
    assert "renamed or merged into 'auto', 'truck'" in chosen.message


def test_wanted_names_are_those_after_renaming():
    chosen = select_classes('file', COUNTS, ['truck'], {'lorry': 'truck'})
    assert chosen.index_of == {'lorry': 0, 'truck': 0}


def test_a_class_that_does_not_occur_is_named():
    chosen = select_classes('file', COUNTS, ['bus', 'tram'])
    assert "1 have no label here: 'tram'" in chosen.message


@pytest.mark.parametrize(
    'options, text',
    [
        (dict(wanted=['buss'], complete=True), "'buss'.*did you mean 'bus'"),
        (dict(rename={'tram': 'bus'}, complete=True), "rename_classes.*'tram'"),
        (dict(wanted=['tram']), "none of the configured classes.*'car' \\(7\\)"),
        (dict(wanted=['bus'], drop_absent=True), 'drop_absent'),
    ],
)
def test_refused(options, text):
    with pytest.raises(ValueError, match=text):
        select_classes('file', COUNTS, **options)


def test_no_class_is_left():
    with pytest.raises(ValueError, match='no class'):
        select_classes('file', {'street': 0}, drop_absent=True)
