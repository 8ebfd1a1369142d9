import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmmsf.evaluation import Predictions
from mmmsf.evaluation.functional import threshold_metrics
from mmmsf.report.examples import find_image, find_mistakes, worst_pairs
from mmmsf.report.numbers import check_comparable, name_runs, number_run
from mmmsf.report.page import build_page
from tests.helpers.small_predictions import make_mixed as make

HOSTILE = (
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(2)>',
    'bell\x07 \u202eturned',
    '$\\frac{1}{',
    "{{ 7 * 7 }} & 'quoted'",
)


class _Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ''
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_page_needs_nothing_else() -> None:
    page = build_page([('one', make()), ('two', replace(make(seed=1), calibrated=True))])
    assert re.findall(r'<td>(as trained|calibrated)</td>', page) == ['as trained', 'calibrated']
    sources = [
        attrs[name] for _, attrs in _Page(page).tags for name in ('src', 'href') if name in attrs
    ]
    assert sources
    assert all(source.startswith(('data:image/', '#')) for source in sources)
    assert "default-src 'none'" in page
    for content in re.findall(r'data:image/svg\+xml;base64,([^"]+)', page):
        svg = base64.b64decode(content).decode()
        assert svg.count('http') == len(
            re.findall(
                r'http://www\.w3\.org|http://purl\.org'
                r'|http://creativecommons\.org',
                svg,
            )
        )


def test_numbers_on_the_page_are_those_of_the_metrics() -> None:
    predictions = make()
    run = number_run('one', predictions)
    page = build_page([('one', predictions)])
    for label, value in (
        ('mAP', run.report.summary['mAP']),
        ('CF1 (score ≥ 0.5)', run.report.summary['CF1']),
        ('OF1 (at best F1)', run.at_best['OF1']),
        ('OP (top 3)', run.report.summary['OP_top3']),
        ('ECE', 100 * run.ece),
        ('Brier score', 100 * run.brier),
    ):
        assert f'<td>{label}</td><td>{value:.2f}</td>' in page
    best = threshold_metrics(predictions.scores, predictions.targets, run.thresholds)
    assert run.at_best['CF1'] == pytest.approx(100 * best['CF1'])
    assert run.report.summary['CF1'] < run.at_best['CF1']
    # The dots of the curves: no threshold has a higher F1 than the tuned one.
    for k, curve in enumerate(run.curves):
        one = threshold_metrics(
            predictions.scores[:, k : k + 1],
            predictions.targets[:, k : k + 1],
            float(run.thresholds[k]),
        )
        assert run.best_f1[k] == pytest.approx(one['OF1'])
        assert run.best_f1[k] == curve.f1.max()


def test_text_from_the_data_comes_out_escaped(tmp_path: Path) -> None:
    predictions = make(HOSTILE)
    predictions = replace(
        predictions, names=np.array([f'<b>{i}</b>\x1b[31m.png' for i in range(40)])
    )
    clean = _Page(build_page([('one', make(tuple('abcde')))]))
    page = build_page([('<i>run</i>\x00', predictions), ('two', replace(predictions))])
    parsed = _Page(page)
    assert {tag for tag, _ in parsed.tags} <= {tag for tag, _ in clean.tags} | {'p'}
    assert [tag for tag, _ in parsed.tags].count('script') == 1
    assert not any(name.startswith('on') for _, attrs in parsed.tags for name in attrs)
    for name in (
        '<script>alert(1)</script>',
        'bell\\x07 \\u202eturned',
        "{{ 7 * 7 }} & 'quoted'",
        '<i>run</i>\\x00',
        '\\x1b[31m.png',
    ):
        assert name in parsed.text
    assert not re.search('[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]', page)


def test_differences_are_sorted_and_signed() -> None:
    one, two = make(), make(seed=1)
    page = build_page([('one', one), ('two', two)])
    ap = [number_run('x', run).report.ap for run in (one, two)]
    section = page[page.index('id="difference"') : page.index('id="classes"')]
    changes = re.findall(r'<td class="(up|down|)">([+\u2212][0-9.]+)</td>', section)
    values = [float(text.replace('\u2212', '-')) for _, text in changes]
    np.testing.assert_allclose(values, np.sort(ap[1] - ap[0]), atol=0.006)
    assert [sign for sign, _ in changes] == [
        'down' if v < 0 else 'up' if v > 0 else '' for v in values
    ]


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        (
            'classes',
            np.array(['cat', 'dog', 'fox']),
            'classes differ, first at class 2: owl and fox',
        ),
        (
            'names',
            np.array([f'{i}.png' for i in range(39)] + ['x.png']),
            'names differ, first at image 39: 39.png and x.png',
        ),
        ('targets', np.ones((40, 3), np.int8), 'targets differ, first at target row 0'),
        ('names', np.array(['0.png']), r'names differ: shapes \(40,\) and \(1,\)'),
    ],
)
def test_other_data_cannot_be_compared(field: str, value: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=f'^a and b cannot be compared: their {message}'):
        check_comparable([('a', make()), ('b', replace(make(), **{field: value}))])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(classes=np.array(['cat'])), 'classes must name the 3 columns of scores, got 1'),
        (dict(names=np.array(['x'])), 'names must have one entry per row'),
        (dict(sizes=np.zeros((1, 3), np.int8)), 'sizes must have the shape of scores'),
        (dict(scores=np.full((40, 3), 2, np.float32)), r'scores in \[0, 1\]'),
    ],
)
def test_arrays_must_fit_together(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        number_run('a', replace(make(), **change))
    empty = make()
    empty = Predictions(
        empty.names[:0], empty.classes, empty.scores[:0], empty.targets[:0], empty.sizes[:0]
    )
    with pytest.raises(ValueError, match='must have an image and a class'):
        number_run('a', empty)


def test_classes_without_a_positive_and_unknown_sizes() -> None:
    predictions = make()
    targets = predictions.targets.copy()
    targets[:, 1] = 0
    targets[:, 2] = -1
    page = build_page(
        [('one', replace(predictions, targets=targets, sizes=np.zeros_like(predictions.sizes)))]
    )
    assert 'have no object sizes' in page
    assert '>nan<' not in page


def test_worst_pairs() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.7], [0.7, 0.2], [0.6, 0.3]], np.float32)
    wanted = np.ones_like(scores, bool)
    wanted[0, 0] = False
    assert worst_pairs(scores, wanted, True, 3, 2) == [(1, 0), (1, 1), (2, 0)]
    assert worst_pairs(scores, wanted, False, 2, 1) == [(0, 1), (3, 0)]


def test_mistakes_show_the_right_images(tmp_path: Path) -> None:
    predictions = make(folder=tmp_path)
    (tmp_path / '5.png').write_bytes(b'no image')
    (tmp_path / '6.png').unlink()
    run = number_run('one', predictions)
    seen: list[int] = []

    def explain(image: np.ndarray, label: int) -> np.ndarray:
        seen.append(label)
        return 255 - image

    false, missed = find_mistakes(run, tmp_path, explain, count=200)
    for examples, target in ((false, 0), (missed, 1)):
        assert examples
        for example in examples:
            assert run.predictions.targets[example.row, example.label] == target
            accepted = example.score >= run.thresholds[example.label]
            assert accepted == (target == 0)
            if example.path in ('5.png', '6.png'):
                assert example.picture is None
                continue
            first = int(example.path[:-4])
            for uri, red in ((example.picture, first), (example.attention, 255 - first)):
                picture = Image.open(io.BytesIO(base64.b64decode(uri.split(',')[1])))
                assert picture.size == (150, 100)
                assert abs(picture.getpixel((75, 50))[0] - red) < 6
    assert len(seen) == sum(e.picture is not None for e in [*false, *missed])
    all_false = (predictions.targets == 0) & (predictions.scores >= run.thresholds)
    assert len(false) == all_false.sum()


def test_missing_images_leave_a_placeholder() -> None:
    assert 'image not\nreadable' in build_page([('one', make())])


def test_only_files_below_the_root_are_read(tmp_path: Path) -> None:
    root = tmp_path / 'root'
    root.mkdir()
    for place in (tmp_path / 'out.png', root / 'in.png'):
        place.write_bytes(b'x')
    (root / 'link.png').symlink_to(tmp_path / 'out.png')
    assert find_image('in.png', root) == root / 'in.png'
    assert find_image('/data/val/in.png', root) == root / 'in.png'
    assert find_image('../out.png', root) is None
    assert find_image(str(tmp_path / 'out.png'), root) is None
    assert find_image('link.png', root) is None
    assert find_image('in.png\x00', root) is None
    assert find_image(str(root / 'in.png'), None) == root / 'in.png'


def test_names_of_runs() -> None:
    assert name_runs(['a/x.npz', 'b/y.npz']) == ['x', 'y']
    assert name_runs(['a/x.npz', 'b/x.npz']) == ['a/x', 'b/x']
    with pytest.raises(ValueError, match='`names` must differ'):
        name_runs(['a/x.npz', 'a/x.npz'])
    with pytest.raises(ValueError, match='one name for each of the 1 files, got 2'):
        name_runs(['a/x.npz'], ['p', 'q'])
    with pytest.raises(ValueError, match='at least one run'):
        build_page([])
