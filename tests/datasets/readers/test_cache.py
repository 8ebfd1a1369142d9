"""The annotation cache: equal to parsing, never stale, never fatal, and safe when corrupt."""

import json
import multiprocessing
import os
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from mmmsf.datasets import CocoMultiLabel, coco
from mmmsf.datasets.readers import cache as annotation_cache
from mmmsf.datasets.readers.cache import default_cache_dir, read_cache, write_cache
from mmmsf.datasets.readers.packed_labels import LabelTable


def make_content(images=40, seed=0):
    rng = np.random.default_rng(seed)
    return dict(
        images=[dict(id=i, file_name=f'{i}é.jpg') for i in range(images)],
        categories=[dict(id=k, name=f'class {k}') for k in (9, 2, 5)],
        annotations=[
            dict(
                id=i,
                image_id=int(rng.integers(images)),
                area=float(rng.random()),
                category_id=int(rng.choice((9, 2, 5))),
            )
            for i in range(2 * images)
        ],
    )


def items_of(dataset):
    """Dump a data set as text, where NaN equals NaN."""
    return repr([dataset.metainfo['classes'], list(dataset.data_list)])


@pytest.fixture(autouse=True)
def _small_files_too(monkeypatch):
    monkeypatch.setattr(annotation_cache, 'MIN_BYTES', 0)
    annotation_cache._warn_once.cache_clear()


@pytest.fixture
def load(tmp_path):
    def load_dataset(content=None, **kwargs):
        if content is not None:
            (tmp_path / 'a.json').write_text(json.dumps(content))
        kwargs = dict(cache_dir=str(tmp_path / 'cache')) | kwargs
        return CocoMultiLabel('a.json', data_root=str(tmp_path), data_prefix='img', **kwargs)

    return load_dataset


@pytest.fixture
def parsed(monkeypatch):
    """Count the parsed files in a list."""
    calls, parse = [], coco.parse_table
    monkeypatch.setattr(coco, 'parse_table', lambda *args: calls.append(1) or parse(*args))
    return calls


def cache_files(tmp_path):
    return sorted((tmp_path / 'cache').iterdir())


def test_second_start_reads_the_cache(load, parsed, tmp_path):
    plain = load(make_content(), cache_dir=None)
    assert not (tmp_path / 'cache').exists()
    first, second = load(), load()
    assert len(parsed) == 2
    assert items_of(plain) == items_of(first) == items_of(second)
    assert [path.suffix for path in cache_files(tmp_path)] == ['.npz']


def test_same_content_elsewhere_is_found_and_new_content_is_not(load, parsed, tmp_path):
    load(make_content())
    before = os.stat(tmp_path / 'a.json')
    (tmp_path / 'a.json').rename(tmp_path / 'b.json')
    CocoMultiLabel(str(tmp_path / 'b.json'), cache_dir=str(tmp_path / 'cache'))
    assert len(parsed) == 1
    changed = make_content()
    old = changed['annotations'][0]['category_id']
    changed['annotations'][0]['category_id'] = {2: 5, 5: 9, 9: 2}[old]  # as many bytes as before
    (tmp_path / 'a.json').write_text(json.dumps(changed))
    assert os.stat(tmp_path / 'a.json').st_size == before.st_size
    os.utime(tmp_path / 'a.json', ns=(before.st_atime_ns, before.st_mtime_ns))  # not by date
    assert items_of(load()) == items_of(load(cache_dir=None))
    assert len(parsed) == 3


def test_another_order_of_the_classes_needs_no_other_file(load, parsed, tmp_path):
    load(make_content())
    order = ['class 9', 'class 2', 'class 5']
    cached = load(classes=order)
    assert len(parsed) == len(cache_files(tmp_path)) == 1
    assert items_of(cached) == items_of(load(classes=order, cache_dir=None))
    with pytest.raises(ValueError, match=r"must name classes of the file, got 'class 7'"):
        load(classes=['class 9', 'class 2', 'class 7'])


def test_a_cached_file_serves_other_classes_and_its_unknowns(load, parsed, tmp_path):
    content = make_content()
    for image in content['images']:
        image['neg_category_ids'] = []
    content['images'][0]['neg_category_ids'] = [
        k
        for k in (9, 2, 5)
        if not any(a['image_id'] == 0 and a['category_id'] == k for a in content['annotations'])
    ]
    load(content)
    some = dict(classes=['x', 'class 9'], rename_classes={'class 2': 'x', 'class 5': 'x'})
    cached = load(**some)
    assert len(parsed) == len(cache_files(tmp_path)) == 1
    assert items_of(cached) == items_of(load(**some, cache_dir=None))
    assert any(cached.get_data_info(i).get('gt_ignore') for i in range(len(cached)))


def test_unsound_content_is_refused_every_time(load, tmp_path):
    content = make_content()
    content['annotations'][3]['area'] = -1
    for _ in range(2):
        with pytest.raises(ValueError, match='annotation 3: area must be'):
            load(content)
    assert not (tmp_path / 'cache').exists()


@pytest.mark.parametrize(
    'damage',
    [
        lambda data: b'',
        lambda data: data[: len(data) // 2],
        lambda data: b'not a zip file',
        lambda data: data.replace(b'class 5', b'class 6'),
        lambda data: b'\x80\x04N.',
    ],
)
def test_damaged_file_is_replaced(load, parsed, tmp_path, capture_log, damage):
    expected = items_of(load(make_content()))
    (path,) = cache_files(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert items_of(load()) == expected and len(parsed) == 2
    assert any('corrupt cache file' in line for line in capture_log)
    assert items_of(load()) == expected and len(parsed) == 2


def test_no_changed_bit_changes_a_label(load, tmp_path):
    expected = items_of(load(make_content()))
    (path,) = cache_files(tmp_path)
    whole = path.read_bytes()
    for position in np.random.default_rng(0).integers(0, len(whole), 60):
        broken = bytearray(whole)
        broken[position] ^= 1 << int(position) % 8
        path.write_bytes(broken)
        assert items_of(load()) == expected


def test_file_of_another_content_is_not_believed(load, tmp_path, capture_log):
    load(make_content(seed=1))
    (other,) = cache_files(tmp_path)
    expected = items_of(load(make_content(seed=2)))
    (own,) = set(cache_files(tmp_path)) - {other}
    own.write_bytes(other.read_bytes())
    assert items_of(load()) == expected
    assert any('made for another file' in line for line in capture_log)


def test_a_file_with_pickles_runs_no_code(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'ran'),)

    path = tmp_path / 'x.npz'
    np.savez(path, made_for=np.array('x.npz'), classes=np.array([Hostile()], dtype=object))
    assert read_cache(str(path)) is None and not (tmp_path / 'ran').exists()


@pytest.mark.parametrize(
    'name, value, message',
    [
        ('labels', np.array([0, 7], np.int32), 'labels must be 0 to 2'),
        ('label_ends', np.array([2, 1], np.int64), 'label_ends must rise from 0 to 2'),
        ('name_ends', np.array([5], np.int64), 'name_ends must rise'),
        ('areas', np.array([1.0]), 'areas must be parallel'),
        ('areas', np.array([1, 2]), 'areas must be one row of float64, got int64'),
        ('classes', None, r"\['classes'\] are missing"),
        ('listed', np.array([3], np.int32), 'listed_ends must rise from 0 to 1'),
        ('partial', np.array([True]), 'listed_ends and partial must be parallel'),
    ],
)
def test_arrays_that_do_not_fit(name, value, message):
    table = LabelTable.from_columns(
        ('a', 'b', 'c'), ('x', 'yy'), np.array([0, 1]), np.array([0, 2]), np.array([1.0, 2.0])
    )
    arrays = table.to_arrays() | {name: value}
    if value is None:
        del arrays[name]
    with pytest.raises(ValueError, match=message):
        LabelTable.from_arrays(arrays)


def test_images_without_any_label_are_cached(load, parsed):
    """For later starts, as those with labels are."""
    content = dict(make_content(), annotations=[])
    assert items_of(load(content)) == items_of(load()) and len(parsed) == 1


def test_folder_that_cannot_be_made_is_logged_once(load, tmp_path, capture_log):
    (tmp_path / 'cache').write_text('a file where the folder should be')
    assert items_of(load(make_content())) == items_of(load()) == items_of(load(cache_dir=None))
    assert sum('cannot be cached here' in line for line in capture_log) == 1


def test_full_disk_leaves_no_part(load, tmp_path, monkeypatch, capture_log):
    def savez(file, **arrays):
        file.write(b'half')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(annotation_cache.np, 'savez', savez)
    load(make_content())
    assert cache_files(tmp_path) == []
    assert any('No space left on device' in line for line in capture_log)


def test_small_files_are_not_cached(load, tmp_path, monkeypatch):
    monkeypatch.setattr(annotation_cache, 'MIN_BYTES', 1 << 20)
    load(make_content())
    assert not (tmp_path / 'cache').exists()


def test_default_folder(monkeypatch):
    for name in ('MMMSF_CACHE_DIR', 'XDG_CACHE_HOME'):
        monkeypatch.delenv(name, raising=False)
    assert default_cache_dir() == os.path.join('~', '.cache', 'mmmsf')
    monkeypatch.setenv('XDG_CACHE_HOME', '/x')
    assert default_cache_dir() == os.path.join('/x', 'mmmsf')
    monkeypatch.setenv('MMMSF_CACHE_DIR', '/m')
    assert default_cache_dir() == '/m' == CocoMultiLabel('a.json', lazy_init=True).cache_dir


def _start(folder, barrier, queue):
    annotation_cache.MIN_BYTES = 0
    barrier.wait()
    for _ in range(3):  # the later starts read what others may be writing
        queue.put(
            items_of(
                CocoMultiLabel(
                    os.path.join(folder, 'a.json'),
                    data_prefix='img',
                    cache_dir=os.path.join(folder, 'cache'),
                )
            )
        )


def test_eight_ranks_start_at_once(tmp_path):
    (tmp_path / 'a.json').write_text(json.dumps(make_content(images=500)))
    context = multiprocessing.get_context('fork')  # the frameworks are imported already
    barrier, queue = context.Barrier(8), context.Queue()
    ranks = [context.Process(target=_start, args=(str(tmp_path), barrier, queue)) for _ in range(8)]
    for rank in ranks:
        rank.start()
    found = [queue.get(timeout=60) for _ in range(3 * len(ranks))]
    for rank in ranks:
        rank.join(60)
    assert set(found) == {
        items_of(CocoMultiLabel(str(tmp_path / 'a.json'), data_prefix='img', cache_dir=None))
    }
    assert [path.suffix for path in cache_files(tmp_path)] == ['.npz']
    assert read_cache(str(cache_files(tmp_path)[0])) is not None


def test_file_is_whole_while_it_is_written_again(tmp_path, monkeypatch):
    path, seen, savez = str(tmp_path / 'x.npz'), [], np.savez
    table = LabelTable.from_columns(('a',), ('x',), np.array([0]), np.array([0]), np.array([1.0]))

    def look_and_save(file, **arrays):
        savez(file, **arrays)
        seen.append(read_cache(path) is not None)

    monkeypatch.setattr(annotation_cache.np, 'savez', look_and_save)
    write_cache(path, table)
    write_cache(path, table)
    assert seen == [False, True] and read_cache(path) is not None


def test_a_table_cannot_be_changed() -> None:
    """The images of a set, its copies in loader workers and its cache share it."""
    table = LabelTable.from_columns(('a',), ('x',), np.array([0]), np.array([0]), np.array([1.0]))
    with pytest.raises(FrozenInstanceError):
        table.labels = np.array([1])  # type: ignore[misc]
    for name in LabelTable.DTYPES:
        with pytest.raises(ValueError, match='read-only'):
            getattr(table, name)[0] = 0
