from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset

from mmmsf.evaluation import Predictions
from mmmsf.evaluation.rows import EvaluationRows


class Images(BaseDataset):
    """Images ``<name><index>.png``."""

    METAINFO = dict(classes=('x', 'y'))

    def __init__(self, name: str, count: int) -> None:
        self.images = [dict(img_path=f'{name}{i}.png') for i in range(count)]
        super().__init__()

    def load_data_list(self) -> list[dict]:
        return self.images


def make_predictions() -> Predictions:
    rows = EvaluationRows(
        np.array([[0.25, 0.5], [0.75, 1.0]], np.float32),
        np.array([[1, 0], [-1, 1]], np.int8),
        np.array([[2, 0], [0, 1]], np.int8),
        np.array([1, 0]),
    )
    dataset = SimpleNamespace(
        metainfo=dict(classes=('cat', 'dög')), get_data_info=lambda i: dict(img_path=f'{i}.png')
    )
    return Predictions.from_rows(rows, dataset)


def test_round_trip(tmp_path: Path) -> None:
    first = make_predictions()
    assert first.names.tolist() == ['1.png', '0.png']
    first.save(tmp_path / 'p.npz')
    second = Predictions.load(tmp_path / 'p.npz')
    for name in ('names', 'classes', 'scores', 'targets', 'sizes'):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        assert getattr(first, name).dtype == getattr(second, name).dtype


@pytest.mark.parametrize(
    ('flag', 'message'),
    [
        ('calibrated', r'p\.npz must not be calibrated, .* --no-calibration'),
        ('tta', r'p\.npz must not be averages over views, .* without --tta'),
    ],
)
def test_scores_that_no_prediction_has_are_marked(tmp_path: Path, flag: str, message: str) -> None:
    for value in (False, True):
        replace(make_predictions(), **{flag: value}).save(tmp_path / 'p.npz')
        assert getattr(Predictions.load(tmp_path / 'p.npz'), flag) is value
    with np.load(tmp_path / 'p.npz') as archive:  # of an earlier version
        np.savez(tmp_path / 'q.npz', **{k: v for k, v in archive.items() if k != flag})
    old = Predictions.load(tmp_path / 'q.npz')
    assert getattr(old, flag) is False and old.require_raw_scores('q.npz') is old
    with pytest.raises(ValueError, match=message):
        Predictions.load(tmp_path / 'p.npz').require_raw_scores('p.npz')


def test_images_without_an_index_of_their_own_are_named_in_order() -> None:
    parts = [Images('a', 2), Images('b', 1)]
    both = ConcatDataset(parts)
    blank = np.zeros((3, 2))
    for index in ([0, 1, 0], [-1, -1, -1]):
        rows = EvaluationRows(
            blank.astype(np.float32), blank.astype(np.int8), blank.astype(np.int8), np.array(index)
        )
        assert Predictions.from_rows(rows, both).names.tolist() == ['a0.png', 'a1.png', 'b0.png']
    with pytest.raises(ValueError, match='the 2 rows must have a `sample_idx` each that is unique'):
        Predictions.from_rows(rows.take(np.array([0, 2])), both)


def test_another_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / 'other.npz', scores=np.zeros(3))
    with pytest.raises(ValueError, match=r'other\.npz is not a predictions file .* no names'):
        Predictions.load(tmp_path / 'other.npz')
    np.save(tmp_path / 'array.npy', np.zeros(3))
    with pytest.raises(ValueError, match=r'array\.npy is not a predictions file'):
        Predictions.load(tmp_path / 'array.npy')
    make_predictions().save(tmp_path / 'good.npz')
    content = bytearray((tmp_path / 'good.npz').read_bytes())
    for place in range(40, 90):  # in compressed values
        content[place] ^= 255
    (tmp_path / 'damaged.npz').write_bytes(content)
    with pytest.raises(ValueError, match=r'damaged\.npz is not a predictions file'):
        Predictions.load(tmp_path / 'damaged.npz')
    (tmp_path / 'text.npz').write_text('hello')
    with pytest.raises(ValueError, match=r'text\.npz is not a predictions file'):
        Predictions.load(tmp_path / 'text.npz')
    make_predictions().save(tmp_path / 'cut.npz')
    whole = (tmp_path / 'cut.npz').read_bytes()
    for length in (10, len(whole) // 2, len(whole) - 4):
        (tmp_path / 'cut.npz').write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r'cut\.npz is not a predictions file'):
            Predictions.load(tmp_path / 'cut.npz')
    np.savez(tmp_path / 'pickle.npz', names=np.array([dict()], dtype=object))
    with pytest.raises(ValueError, match=r'pickle\.npz is not a predictions file'):
        Predictions.load(tmp_path / 'pickle.npz')
    with pytest.raises(FileNotFoundError):
        Predictions.load(tmp_path / 'none.npz')
