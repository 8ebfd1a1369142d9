"""The VOC 2012 server's archive: written, read back, and every kind of wrong one refused."""

import dataclasses
import io
import tarfile

import numpy as np
import pytest
from _archive import (
    align_scores,
    check_submission,
    match_ids,
    read_test_ids,
    result_name,
    write_submission,
)

from mmmsf.datasets import VOC_CLASSES
from mmmsf.evaluation import Predictions

IDS = ['2008_000001', '2012_000001', '2010_123456']


def make_predictions(ids=IDS, classes=VOC_CLASSES, seed=0):
    scores = np.random.default_rng(seed).random((len(ids), len(classes))).astype(np.float32)
    zeros = np.zeros(scores.shape, np.int8)
    return Predictions(
        np.array([f'data/JPEGImages/{image_id}.jpg' for image_id in ids]),
        np.array(classes),
        scores,
        zeros,
        zeros,
    )


def replace_score(predictions, value, row=1, column=4):
    scores = predictions.scores.copy()
    scores[row, column] = value
    return dataclasses.replace(predictions, scores=scores)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / 'results.tar.gz'
    write_submission(path, IDS, make_predictions().scores)
    return path


def rewrite(path, edit):
    """Change the texts of an archive: ``edit`` gets and returns a list of (name, text)."""
    with tarfile.open(path) as archive:
        files = [
            (member.name, archive.extractfile(member).read().decode())
            for member in archive.getmembers()
        ]
    with tarfile.open(path, 'w:gz') as archive:
        for name, text in edit(files):
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))


def test_archive_holds_the_scores(archive, tmp_path):
    scores = make_predictions().scores
    with tarfile.open(archive) as opened:
        names = opened.getnames()
        text = opened.extractfile('results/VOC2012/Main/comp1_cls_test_bird.txt').read().decode()
    assert names == [f'results/VOC2012/Main/comp1_cls_test_{name}.txt' for name in VOC_CLASSES]
    lines = [line.split(' ') for line in text.splitlines()]
    assert [line[0] for line in lines] == IDS and text.endswith('\n')
    np.testing.assert_array_equal(np.float32([line[1] for line in lines]), scores[:, 2])
    # nothing is lost on the way, and nothing but the archive is left in the folder
    read_back = check_submission(archive, IDS, 'comp1').astype(np.float32)
    np.testing.assert_array_equal(read_back, scores)
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


def test_small_scores_stay_apart_and_plain(tmp_path):
    scores = np.full((3, 20), 1, np.float32)
    scores[:, 0] = 0.056313, 1.5e-9, 1.6e-9
    write_submission(tmp_path / 'r.tar.gz', IDS, scores, 'comp2')
    with tarfile.open(tmp_path / 'r.tar.gz') as opened:
        text = opened.extractfile(result_name('comp2', 'aeroplane')).read().decode()
    assert text == ('2008_000001 0.056313\n2012_000001 0.0000000015\n2010_123456 0.0000000016\n')


def test_rows_and_columns_are_put_in_order():
    predictions = make_predictions(IDS[::-1], VOC_CLASSES[::-1])
    np.testing.assert_array_equal(align_scores(predictions, IDS), predictions.scores[::-1, ::-1])


def test_match_ids():
    assert match_ids(['2000_000002', '2000_000001'], ['2000_000001', '2000_000002'], 'x') == [1, 0]


@pytest.mark.parametrize(
    'predictions, message',
    [
        (make_predictions(IDS[:2]), r'1 are missing: 2010_123456; 0 are not in the list: -'),
        (make_predictions([*IDS, '2009_000001']), r'0 are missing: -; 1 are not .*: 2009_000001'),
        (make_predictions([*IDS[:2], '2010_123457']), '1 are missing: .*456; 1 are not .*_123457'),
        (make_predictions([*IDS, IDS[0]]), '1 ids occur more than once: 2008_000001'),
        (
            make_predictions([*IDS[:2], '10_123456']),
            'ids must look like 2012_000001, got 10_123456',
        ),
        (make_predictions([*IDS[:2], '2010_123456x']), 'ids must look like .* got 2010_123456x'),
        (
            replace_score(make_predictions(), np.nan),
            '1 scores are NaN or infinite, the first is that of 2012_000001 for bottle: nan',
        ),
        (replace_score(make_predictions(), -np.inf), '2012_000001 for bottle: -inf'),
        (make_predictions(classes=VOC_CLASSES[:19]), 'must be of the 20 VOC classes'),
        (make_predictions(classes=[*VOC_CLASSES[:19], 'tv']), "20 VOC classes, got .*'tv'"),
        (make_predictions(classes=[*VOC_CLASSES, 'cow']), '20 VOC classes'),
    ],
)
def test_wrong_predictions(predictions, message):
    with pytest.raises(ValueError, match=message):
        align_scores(predictions, IDS)


def test_scores_of_another_shape():
    predictions = dataclasses.replace(make_predictions(), scores=np.ones((3, 19), np.float32))
    with pytest.raises(ValueError, match=r'3 images and 20 classes, but scores of shape \(3, 19\)'):
        align_scores(predictions, IDS)


def test_many_wrong_ids_are_cut():
    surplus = [f'2001_{i:06d}' for i in range(9)]
    with pytest.raises(ValueError, match='9 are not in the list: .*2001_000004 and 4 more'):
        align_scores(make_predictions([*IDS, *surplus]), IDS)


@pytest.mark.parametrize(
    'text, message',
    [
        ('', 'lists no image'),
        ('2012_000001\n2012_1\n', 'ids must look like .* got 2012_1'),
        ('2012_000001\n2012_000001\n', 'is in line 1 and again in line 2'),
    ],
)
def test_bad_id_list(tmp_path, text, message):
    (tmp_path / 'test.txt').write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_test_ids(str(tmp_path / 'test.txt'))
    assert 'test.txt' in str(caught.value)


def test_id_list(tmp_path):
    (tmp_path / 'test.txt').write_text('\n'.join(IDS))
    assert read_test_ids(str(tmp_path / 'test.txt')) == IDS


@pytest.mark.parametrize(
    'arguments, message',
    [
        ((IDS, np.ones((3, 19))), r'scores must have the shape \(3, 20\), got \(3, 19\)'),
        ((IDS, np.ones((3, 20)), 'comp3'), "comp must be one of .* got 'comp3'"),
        ((IDS, np.full((3, 20), np.nan)), 'line 1 must be an id'),
        ((['a', 'b', 'c'], np.ones((3, 20))), 'ids must look like'),
    ],
)
def test_a_wrong_archive_replaces_nothing(archive, arguments, message):
    before = archive.read_bytes()
    with pytest.raises(ValueError, match=message):
        write_submission(archive, *arguments)
    assert archive.read_bytes() == before
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]


def edit_text(old, new):
    return lambda files: [
        (name, text.replace(old, new, 1) if i == 2 else text)
        for i, (name, text) in enumerate(files)
    ]


@pytest.mark.parametrize(
    'edit, message',
    [
        (edit_text('2012_000001', '2012_000002'), 'bird.*1 are missing: 2012_000001; 1 are not'),
        (edit_text('2012_000001', '2008_000001'), 'bird.*1 ids occur more than once: 2008_000001'),
        (edit_text('2012_000001', '2012-000001'), 'bird.*ids must look like'),
        (edit_text('2012_000001 ', '2012_000001 nan'), 'bird.*line 2 must be an id'),
        (edit_text('2012_000001 ', '2012_000001  '), 'bird.*line 2 must be an id'),
        (edit_text('2012_000001 ', '2012_000001'), 'bird.*line 2 must be an id'),
        (edit_text('\n2012_000001', '\n\n2012_000001'), 'bird.*line 2 must be an id'),
        (
            lambda files: [(files[0][0], '2008_000001 0.5\n')] + files[1:],
            'aeroplane.*2 are missing',
        ),
        (lambda files: [(files[0][0], 'x' * 400)] + files[1:], 'aeroplane.* not a plain file'),
        (
            lambda files: files[:-1],
            r"missing: \['.*comp1_cls_test_tvmonitor\.txt'\]; surplus: \[\]",
        ),
        (lambda files: [*files, ('results/x.txt', files[0][1])], r"surplus: \['results/x\.txt'\]"),
        (lambda files: [*files, files[3]], r'comp1_cls_test_boat\.txt occurs twice'),
    ],
)
def test_wrong_archive(archive, edit, message):
    check_submission(archive, IDS, 'comp1')
    rewrite(archive, edit)
    with pytest.raises(ValueError, match=message) as caught:
        check_submission(archive, IDS, 'comp1')
    assert str(archive) in str(caught.value)


def test_archive_of_the_other_competition(archive):
    with pytest.raises(ValueError, match='must hold the files of the 20 classes for comp2'):
        check_submission(archive, IDS, 'comp2')


@pytest.mark.parametrize('content', [b'', b'no archive', b'\x1f\x8b'])
def test_no_archive(tmp_path, content):
    (tmp_path / 'r.tar.gz').write_bytes(content)
    with pytest.raises(ValueError, match=r'r\.tar\.gz: not a complete tar\.gz archive'):
        check_submission(tmp_path / 'r.tar.gz', IDS, 'comp1')


def test_cut_or_missing_archive(archive, tmp_path):
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(ValueError, match='not a complete tar.gz'):
        check_submission(archive, IDS, 'comp1')
    with pytest.raises(FileNotFoundError):
        check_submission(tmp_path / 'none.tar.gz', IDS, 'comp1')
