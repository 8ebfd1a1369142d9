"""Records on disk: read back as written, complete or refused."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from mmmsf.datasets.readers.feature_store import FeatureIndex, FeatureStore, write_records
from tests.helpers.file_size_limit import file_size_limit

SHAPES = [(2, 4, 3), (5, 2, 1)]  # two maps of unlike size
RECORDS = np.random.default_rng(0).normal(size=(3, 2, 34)).astype(np.float32)
FLAT = RECORDS.reshape(6, 34)


INDEX = FeatureIndex(
    names=['a.jpg', 'b/c.jpg', 'd.jpg'],
    shapes=[((9, 8), (4, 4))] * 3,
    map_names=['3', 'final'],
    map_shapes=SHAPES,
    views=2,
    source={'seed': 0},
    weights={},
    file_sizes=[1, 2, None],
    digest='',
)


def write(folder: Path, dtype: str = 'float32') -> FeatureStore:
    write_records(folder, INDEX.record_shape, [FLAT[:4], FLAT[4:]], dtype)
    INDEX.save(folder)
    return FeatureStore(folder)


@pytest.mark.parametrize(('dtype', 'error'), [('float32', 0), ('float16', 2**-11)])
def test_reads_what_was_written(tmp_path: Path, dtype: str, error: float) -> None:
    store = write(tmp_path / 'f', dtype)
    assert store.records.dtype == dtype and not store.records.flags.writeable
    np.testing.assert_allclose(store.records, RECORDS, rtol=error, atol=1e-7 * bool(error))
    assert store.rows(['d.jpg', 'a.jpg']).tolist() == [2, 0]
    final, three = store.columns(['final', '3'])
    np.testing.assert_array_equal(store.records[1, 0][three], store.records[1, 0][:24])
    np.testing.assert_array_equal(store.records[1, 0][final], store.records[1, 0][24:])
    assert store.index.source == {'seed': 0}
    copy = pickle.loads(pickle.dumps(store))
    assert len(pickle.dumps(store)) < 500
    np.testing.assert_array_equal(copy.records, store.records)


def test_unknown_image_or_map(tmp_path: Path) -> None:
    store = write(tmp_path)
    with pytest.raises(ValueError, match="1 of 2 images have no features, the first is 'x.jpg'"):
        store.rows(['a.jpg', 'x.jpg'])
    for maps in (['4'], []):
        with pytest.raises(ValueError, match=r"must name some of \['3', 'final'\], got"):
            store.columns(maps)


@pytest.mark.parametrize(
    ('batches', 'message'),
    [
        ([FLAT[:5]], 'must be 6 records, got 5'),
        ([FLAT, FLAT[:1]], 'must be 6 records, got 7'),
        ([FLAT[:, :33]], r'shape \(n, 34\), got \(6, 33\)'),
        ([FLAT * 1e6], 'must be finite in float16, the largest is [0-9.]+'),
        ([FLAT * np.nan], 'must be finite'),
    ],
)
def test_wrong_records_leave_no_features(tmp_path: Path, batches: list, message: str) -> None:
    write(tmp_path)
    with pytest.raises(ValueError, match=message):
        write_records(tmp_path, (3, 2, 34), batches, 'float16')
    with pytest.raises(FileNotFoundError, match='write features with'):
        FeatureStore(tmp_path)
    assert not list(tmp_path.glob('*.partial'))


def test_full_disk(tmp_path: Path) -> None:
    big = np.zeros((6, 34 * 1000), np.float32)
    with file_size_limit(5000), pytest.raises(OSError, match=r'cannot write 0\.8 MB, .* are free'):
        write_records(tmp_path, (3, 2, 34000), [big], 'float32')
    assert not list(tmp_path.iterdir())


def test_damaged_or_foreign_files(tmp_path: Path) -> None:
    write(tmp_path)
    text, data = (tmp_path / 'index.json').read_text(), (tmp_path / 'features.npy').read_bytes()
    for damaged in (
        text[:-5],
        '[]',
        json.dumps(json.loads(text) | dict(format=0)),
        json.dumps(json.loads(text) | dict(other=1)),
        json.dumps(json.loads(text) | dict(views=1)),
    ):
        (tmp_path / 'index.json').write_text(damaged)
        with pytest.raises(ValueError, match='write them again'):
            FeatureStore(tmp_path)
    (tmp_path / 'index.json').write_text(text)
    for damaged in (data[:-4], data[:20], b''):
        (tmp_path / 'features.npy').write_bytes(damaged)
        with pytest.raises(ValueError, match='write them again'):
            FeatureStore(tmp_path)
