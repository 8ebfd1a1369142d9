"""Images kept decoded: the same samples, one writer, never stale, clear errors."""

import multiprocessing
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose

from mmmsf.datasets import ImageReadError
from mmmsf.datasets.readers import image_cache
from mmmsf.datasets.readers.image_cache import cached_images, leading_steps
from mmmsf.engine.resume.seeding import seed_generators
from tests.helpers.file_size_limit import file_size_limit
from tests.helpers.small_data import build_dataset

PIPELINE = [
    dict(type='mmmsf.LoadImage'),
    dict(type='ResizeEdge', scale=40, edge='short'),
    dict(type='CenterCrop', crop_size=36),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs', algorithm_keys=('gt_area',)),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six images of noise of different sizes, with a table."""
    (tmp_path / 'val2014').mkdir()
    rng = np.random.default_rng(0)
    rows = ['path,labels']
    for i in range(6):
        pixels = rng.integers(0, 256, (48 + i, 80 - i, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f'val2014/{i}.png'), pixels)
        rows.append(f'{i}.png,{"cat" if i % 2 else "dog"}')
    (tmp_path / 't.csv').write_text('\n'.join(rows))
    return tmp_path


def build(data: Path, where: object, pipeline: list = PIPELINE, **options: Any) -> Any:
    return build_dataset('csv', data, pipeline=pipeline, image_cache=where, **options)


def samples(dataset: Any) -> list[Any]:
    """All samples with a fixed seed each, as comparable values."""
    found = []
    for i in range(len(dataset)):
        seed_generators(i)
        sample = dataset[i]
        fields = {k: v for k, v in sorted(sample['data_samples'].all_items())}
        found.append((sample['inputs'].tolist(), repr(fields)))
    return found


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob('*.bin'))


@pytest.mark.parametrize(
    'steps',
    [
        pytest.param(slice(0, 1), marks=pytest.mark.slow, id='1'),
        pytest.param(slice(0, 2), marks=pytest.mark.slow, id='2'),
        pytest.param(slice(0, 3), id='3'),
    ],
)
@pytest.mark.parametrize('where', ['memory', 'folder'])
def test_same_samples_as_without(data: Path, where: str, steps: slice) -> None:
    pipeline = PIPELINE[steps] + PIPELINE[3:]
    folder = where if where == 'memory' else str(data / 'cache')
    expected = samples(build(data, None, pipeline))
    assert samples(build(data, folder, pipeline)) == expected
    again = build(data, folder, pipeline)
    assert samples(again) == samples(again) == expected
    assert len(files(data / 'cache')) == (where == 'folder')


def test_random_steps_are_never_cached(data: Path) -> None:
    steps = build(data, None).pipeline.transforms
    assert leading_steps(steps) == steps[:3]
    assert leading_steps([steps[0], *steps[3:]]) == steps[:1]
    with pytest.raises(ValueError, match='must begin with mmmsf.LoadImage, got'):
        build(data, 'memory', [dict(type='LoadImageFromFile')])


def test_later_starts_decode_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = samples(build(data, str(data / 'cache')))
    monkeypatch.setattr(image_cache, 'write_images', lambda *_: pytest.fail('decoded again'))
    (data / 'val2014').rename(data / 'elsewhere')
    moved = build(data, str(data / 'cache'), data_prefix='elsewhere')
    assert [x[0] for x in samples(moved)] == [x[0] for x in expected]


def test_other_content_or_steps_get_another_file(data: Path) -> None:
    build(data, str(data / 'cache'))
    path = data / 'val2014/3.png'
    path.write_bytes((data / 'val2014/4.png').read_bytes())
    changed = build(data, str(data / 'cache'))
    assert samples(changed) == samples(build(data, None))
    other = [PIPELINE[0], dict(PIPELINE[1], interpolation='nearest'), *PIPELINE[2:]]
    assert samples(build(data, str(data / 'cache'), other)) == samples(build(data, None, other))
    assert len(files(data / 'cache')) == 3


def test_a_subset_finds_its_images(data: Path) -> None:
    subset = build(data, 'memory').get_subset([4, 1])
    assert [x[0] for x in samples(subset)] == [
        x[0] for x in samples(build(data, None).get_subset([4, 1]))
    ]


@pytest.mark.parametrize(
    'damage',
    [
        lambda x: x[:-1],
        lambda x: x[: len(x) // 2],
        lambda x: b'',
        lambda x: x.replace(b'"start"', b'"sturt"', 1),
    ],
)
def test_incomplete_or_damaged_file_is_written_again(data: Path, damage: Any) -> None:
    expected = samples(build(data, str(data / 'cache')))
    (path,) = files(data / 'cache')
    path.write_bytes(damage(path.read_bytes()))
    assert samples(build(data, str(data / 'cache'))) == expected
    assert files(data / 'cache') == [path]


def test_a_complete_file_is_read_where_nothing_can_be_written(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = samples(build(data, str(data / 'cache')))

    def refuse(path: Path) -> None:
        raise PermissionError(path)

    monkeypatch.setattr(image_cache, '_locked', refuse)
    assert samples(build(data, str(data / 'cache'))) == expected


def test_full_disk_names_file_and_leaves_nothing(data: Path) -> None:
    with file_size_limit(5000), pytest.raises(OSError, match=r'cannot write it, .* MB are free'):
        build(data, str(data / 'cache'))
    assert [path.suffix for path in (data / 'cache').iterdir()] == ['.lock']


def test_unusable_image_is_named(data: Path) -> None:
    (data / 'val2014/2.png').write_bytes(b'no image')
    with pytest.raises(ImageReadError, match=r'2\.png: not an image'):
        build(data, 'memory')


def _open(data: Path, counter: Any, queue: Any) -> None:
    write = image_cache.write_images

    def counted(*args: Any) -> None:
        with counter.get_lock():
            counter.value += 1
        write(*args)

    image_cache.write_images = counted
    queue.put(build(data, str(data / 'cache'))._images.content.sum(dtype=np.int64))


@pytest.mark.slow
def test_one_of_several_processes_writes(data: Path) -> None:
    context = multiprocessing.get_context('fork')
    counter, queue = context.Value('i', 0), context.Queue()
    workers = [context.Process(target=_open, args=(data, counter, queue)) for _ in range(4)]
    for worker in workers:
        worker.start()
    sums = {queue.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join()
    assert counter.value == 1 and len(sums) == 1


def test_workers_map_the_file(data: Path) -> None:
    dataset = build(data, str(data / 'cache'))
    assert len(pickle.dumps(dataset._images)) < 500  # a spawned worker maps it too
    loader = torch.utils.data.DataLoader(dataset, 2, num_workers=2, collate_fn=list)
    shapes = {tuple(x['inputs'].shape) for batch in loader for x in batch}
    assert shapes == {(3, 36, 36)}


def test_pixels_are_copies(data: Path) -> None:
    paths = [str(data / 'val2014/0.png')]
    steps = Compose(PIPELINE[:1]).transforms
    images = cached_images(paths, steps, str(data / 'cache'))
    images[0]['img'][:] = 0
    np.testing.assert_array_equal(images[0]['img'], cv2.imread(paths[0]))
