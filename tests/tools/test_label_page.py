"""The page of suspect labels."""

import re
from pathlib import Path

import cv2
import numpy as np
from _label_errors import rank_suspects
from _label_page import build_label_page

from mmmsf.evaluation import Predictions

CLASSES = ['cat', '<b>dog</b>']


def build(folder: Path, shown: int, **options: object) -> str:
    cv2.imwrite(str(folder / '<i>.png'), np.full((20, 30, 3), 9, np.uint8))
    names, targets = ['<i>.png', 'none.png'], np.array([[1, 0], [0, 1]], np.int8)
    scores = np.array([[0.9, 0.8], [0.2, 0.1]], np.float32)
    wrong = np.array([[0.1, 0.7], [0.2, 0.6]])
    suspects = rank_suspects(names, CLASSES, scores, targets, wrong)
    paths = np.array([str(folder / name) for name in names])
    found = Predictions(paths, np.array(CLASSES), scores, targets, np.zeros_like(targets))
    return build_label_page(suspects[:shown], 4, found, names, 'e.csv', 0.05, **options)


def test_shows_the_first_rows_and_escapes_names(tmp_path: Path) -> None:
    page = build(tmp_path, 3)
    shots = page.split('<div class="shot">')[1:]
    assert len(shots) == 3
    assert '1. <span class="up">add &lt;b&gt;dog' in re.sub(r'\s+', ' ', shots[0])
    assert 'data:image/jpeg' in shots[0] and 'image not' in shots[1]
    assert '<b>dog' not in page and '<i>' not in page
    assert 'remove' in shots[1] and 'likelihood 0.600' in re.sub(r'\s+', ' ', shots[1])
    assert not re.search(r'(?:src|href)="(?!data:)', page)


def test_attention_is_that_of_the_fold(tmp_path: Path) -> None:
    seen = []

    def explain_of(row: int):  # type: ignore[no-untyped-def]
        def explain(image: np.ndarray, label: int) -> np.ndarray:
            seen.append((row, label, image.shape))
            return image

        return explain if row == 0 else None

    page = build(tmp_path, 4, explain_of=explain_of)
    assert sorted(seen) == [(0, 0, (20, 30, 3)), (0, 1, (20, 30, 3))]
    assert page.count('alt="attention"') == 2
