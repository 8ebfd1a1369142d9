"""Scaled digits: images and labels agree, and files are complete or absent."""

import json
import multiprocessing
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_digits

from mmmsf.datasets import ScaledDigits
from mmmsf.datasets.digits import render as digits_render
from mmmsf.datasets.digits import scaled_digits as digits
from mmmsf.datasets.digits import spec as digits_spec
from mmmsf.datasets.digits import write as digits_write
from mmmsf.datasets.digits.render import (
    LUMA,
    MIN_CONTRAST,
    digit_alpha,
    draw_sides,
    pick_colour,
    place_squares,
    tight_box,
)
from mmmsf.datasets.digits.spec import DigitSpec
from mmmsf.datasets.digits.write import split_samples, write_digits
from mmmsf.registry import DATASETS

SMALL = dict(train=120, val=30)
SOURCE = load_digits()


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return tmp_path_factory.mktemp('digits')


@pytest.fixture(scope='module')
def folder(root):
    return write_digits(root, DigitSpec(**SMALL))


def read(folder, split):
    return json.loads((folder / 'annotations' / f'instances_{split}.json').read_text())


def file_bytes(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def test_dataset_reads_what_was_written(root, folder):
    data = DATASETS.build(
        dict(
            type='mmmsf.ScaledDigits',
            data_root=str(root),
            split='val',
            num_images=SMALL,
            pipeline=[dict(type='mmmsf.LoadImage')],
        )
    )
    assert type(data) is ScaledDigits and len(data) == 30
    assert data.metainfo['classes'] == tuple('0123456789')
    content = read(folder, 'val')
    for index, image in enumerate(content['images']):
        wanted = {
            int(SOURCE.target[a['digit_index']])
            for a in content['annotations']
            if a['image_id'] == image['id']
        }
        sample = data[index]
        assert sample['gt_label'] == sorted(wanted) and wanted
        assert sample['img'].shape == (64, 64, 3)
        assert Path(sample['img_path']) == folder / 'val' / image['file_name']


@pytest.mark.parametrize('split', ['train', 'val'])
def test_records(folder, split):
    content = read(folder, split)
    assert len(content['images']) == SMALL[split]
    assert [c['id'] for c in content['categories']] == list(range(1, 11))
    assert [a['id'] for a in content['annotations']] == list(
        range(1, len(content['annotations']) + 1)
    )
    for record in content['annotations']:
        x, y, width, height = record['bbox']
        assert x >= 0 and y >= 0 and x + width <= 64 and y + height <= 64
        assert record['area'] == width * height and record['iscrowd'] == 0
        assert record['category_id'] == SOURCE.target[record['digit_index']] + 1
    counts = np.bincount([a['image_id'] for a in content['annotations']])[1:]
    assert counts.min() == 1 and counts.max() <= 5 and counts.max() >= 4


@pytest.mark.parametrize('split', ['train', 'val'])
def test_boxes_are_disjoint(folder, split):
    content = read(folder, split)
    for image in content['images']:
        cover = np.zeros((64, 64), dtype=int)
        for record in content['annotations']:
            if record['image_id'] == image['id']:
                x, y, width, height = record['bbox']
                cover[y : y + height, x : x + width] += 1
        assert cover.max() == 1


def test_sizes_span_a_factor_of_five(folder):
    heights = np.array([a['bbox'][3] for a in read(folder, 'train')['annotations']])
    assert heights.min() >= 9 and heights.max() <= 50
    assert heights.max() / heights.min() >= 5
    # every quarter of the range is well filled
    quarters = np.digitize(heights, [20, 30, 40])
    assert (np.bincount(quarters, minlength=4) / len(heights)).min() > 0.1


def ink(index, width, height):
    """One sample's ink, cut to its bounds and stretched to (height, width)."""
    grey = SOURCE.images[index]
    rows, columns = np.flatnonzero(grey.max(1) >= 4), np.flatnonzero(grey.max(0) >= 4)
    cut = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cv2.resize(cut, (width, height), interpolation=cv2.INTER_LINEAR)


def correlation(a, b):
    return abs(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_pixels_in_the_box_are_the_digit(folder):
    content = read(folder, 'val')
    names = {image['id']: image['file_name'] for image in content['images']}
    large = [a for a in content['annotations'] if min(a['bbox'][2:]) >= 8][:20]
    assert len(large) == 20
    strangers = np.random.default_rng(0).integers(0, len(SOURCE.images), 60)
    own, ranks = [], []
    for record in large:
        image = cv2.imread(str(folder / 'val' / names[record['image_id']])).astype(float) @ LUMA
        x, y, width, height = record['bbox']
        patch = image[y : y + height, x : x + width]
        own.append(correlation(patch, ink(record['digit_index'], width, height)))
        ranks.append(
            np.mean(
                [
                    correlation(patch, ink(stranger, width, height)) >= own[-1]
                    for stranger in strangers
                ]
            )
        )
    assert np.median(own) > 0.9 and np.median(ranks) == 0
    assert np.mean(ranks) < 0.05


def test_every_digit_stands_out(folder):
    """Also the smallest: its ink differs from the rest of its square in luma."""
    content = read(folder, 'train')
    for record in content['annotations'][:150]:
        name = content['images'][record['image_id'] - 1]['file_name']
        image = cv2.imread(str(folder / 'train' / name)).astype(float) @ LUMA
        x, y, width, height = record['bbox']
        patch = image[y : y + height, x : x + width]
        border = np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]))
        assert np.abs(patch - border).max() > 50


def test_handwriting_is_not_shared(folder):
    used = {
        split: {a['digit_index'] for a in read(folder, split)['annotations']}
        for split in ('train', 'val')
    }
    assert used['train'] and used['val'] and not used['train'] & used['val']


def test_split_samples():
    parts = split_samples(SOURCE.target, seed=3)
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(1797))
    for target in range(10):
        of_class = SOURCE.target == target
        share = of_class[parts['train']].sum() / of_class.sum()
        assert abs(share - 0.8) < 0.01
    again = split_samples(SOURCE.target, seed=3)
    np.testing.assert_array_equal(parts['val'], again['val'])
    assert not np.array_equal(parts['val'], split_samples(SOURCE.target, seed=4)['val'])


def test_same_spec_same_bytes(tmp_path, folder):
    again = write_digits(tmp_path, DigitSpec(**SMALL))
    assert again.name == folder.name
    assert file_bytes(again) == file_bytes(folder)


def test_other_spec_other_folder(tmp_path):
    specs = [
        DigitSpec(),
        DigitSpec(seed=1),
        DigitSpec(clutter=1),
        DigitSpec(image_size=96),
        DigitSpec(train=10),
        DigitSpec(val=10),
        DigitSpec(max_digits=2),
        DigitSpec(min_digit=8),
        DigitSpec(max_digit=40),
        DigitSpec(size_law='log'),
        DigitSpec(contrast='both'),
    ]
    assert len({spec.folder for spec in specs}) == len(specs)
    assert DigitSpec(image_size=96, seed=7).folder.startswith('96px_seed7_')


@pytest.mark.parametrize('change, share', [(dict(seed=1), 0.9), (dict(clutter=6), 0.01)])
def test_seed_and_clutter_change_the_pixels(tmp_path, folder, change, share):
    other = write_digits(tmp_path, DigitSpec(train=2, val=1, **change))
    first, second = (cv2.imread(str(path / 'train/000001.png')) for path in (folder, other))
    assert (first != second).any(axis=-1).mean() > share


def test_generator_version_is_in_the_name(monkeypatch):
    before = DigitSpec().folder
    monkeypatch.setattr(digits_spec, 'GENERATOR_VERSION', 10_000)
    assert DigitSpec().folder != before


def test_existing_set_is_not_written_again(root, folder, monkeypatch):
    monkeypatch.setattr(digits_write, 'write_split', lambda *_: pytest.fail('written again'))
    assert write_digits(root, DigitSpec(**SMALL)) == folder


def test_killed_writer_leaves_no_data(tmp_path, monkeypatch):
    spec = DigitSpec(train=5, val=5)
    write_split = digits_write.write_split

    def fail_on_val(folder, spec, split, bar):
        if split == 'val':
            raise KeyboardInterrupt
        write_split(folder, spec, split, bar)

    monkeypatch.setattr(digits_write, 'write_split', fail_on_val)
    with pytest.raises(KeyboardInterrupt):
        write_digits(tmp_path, spec)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert digits_write.is_complete(write_digits(tmp_path, spec))


def test_leftover_of_a_killed_process_is_not_data(tmp_path):
    """A process that dies without clean-up leaves its hidden folder; it is not used."""
    spec = DigitSpec(train=3, val=3)
    leftover = tmp_path / f'.{spec.folder}.partial-0'
    for split in ('train', 'val'):
        path = digits_write.annotation_file(leftover, split)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{}')
    data = ScaledDigits(data_root=str(tmp_path), num_images=dict(train=3, val=3))
    assert len(data) == 3 and data.get_data_info(0)['img_path'].startswith(
        str(tmp_path / spec.folder)
    )


def test_incomplete_folder_of_the_final_name_is_refused(tmp_path):
    spec = DigitSpec(train=3, val=3)
    (tmp_path / spec.folder / 'train').mkdir(parents=True)
    with pytest.raises(ValueError, match=rf'{spec.folder} exists but lacks annotation files'):
        write_digits(tmp_path, spec)


def test_lost_race_keeps_the_winners_set(tmp_path, monkeypatch):
    spec = DigitSpec(train=3, val=3)
    publish = digits_write._publish

    def late(partial, folder):
        monkeypatch.setattr(digits_write, '_publish', publish)
        write_digits(tmp_path, spec)
        (folder / 'winner').touch()
        publish(partial, folder)

    monkeypatch.setattr(digits_write, '_publish', late)
    folder = write_digits(tmp_path, spec)
    assert (folder / 'winner').exists()
    assert [path.name for path in tmp_path.iterdir()] == [spec.folder]


@pytest.mark.slow
def test_two_processes_at_once(tmp_path):
    spec = DigitSpec(train=60, val=10)
    context = multiprocessing.get_context('fork')
    workers = [context.Process(target=write_digits, args=(tmp_path, spec)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == [spec.folder]
    alone = write_digits(tmp_path / 'alone', spec)
    assert file_bytes(tmp_path / spec.folder) == file_bytes(alone)


@pytest.mark.parametrize(
    'rank, calls_wanted', [(0, ['write', 'barrier', 'write']), (1, ['barrier', 'write'])]
)
def test_distributed_ranks_wait_for_rank_0(tmp_path, monkeypatch, rank, calls_wanted):
    calls = []

    def write(root, spec):
        calls.append('write')
        return write_digits(root, spec)

    monkeypatch.setattr(digits, 'is_distributed', lambda: True)
    monkeypatch.setattr(digits, 'get_rank', lambda: rank)
    monkeypatch.setattr(digits, 'barrier', lambda: calls.append('barrier'))
    monkeypatch.setattr(digits, 'write_digits', write)
    ScaledDigits(data_root=str(tmp_path), num_images=dict(train=2, val=2))
    assert calls == calls_wanted


def test_rank_0_that_fails_frees_the_others(tmp_path, monkeypatch):
    calls = []

    def fail(root, spec):
        raise OSError('disk full')

    monkeypatch.setattr(digits, 'is_distributed', lambda: True)
    monkeypatch.setattr(digits, 'get_rank', lambda: 0)
    monkeypatch.setattr(digits, 'barrier', lambda: calls.append('barrier'))
    monkeypatch.setattr(digits, 'write_digits', fail)
    with pytest.raises(OSError, match='disk full'):
        ScaledDigits(data_root=str(tmp_path), num_images=dict(train=2, val=2))
    assert calls == ['barrier']


def test_lazy_init_writes_nothing(tmp_path):
    data = ScaledDigits(data_root=str(tmp_path), num_images=dict(train=2, val=2), lazy_init=True)
    assert list(tmp_path.iterdir()) == []
    assert len(data) == 2


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(split='test'), r"split must be one of \['train', 'val'\], got 'test'"),
        (dict(num_images=dict(train=3)), r"num_images must have the keys .* got \{'train': 3\}"),
        (dict(num_images=dict(train=0, val=1)), 'train must be at least 1, got 0'),
        (dict(min_digit=4), 'min_digit must be at least 5, got 4'),
        (dict(max_digit=65), 'min_digit <= max_digit <= image_size must hold, got 10, 65, 64'),
        (dict(min_digit=51), 'must hold, got 51, 50, 64'),
        (dict(size_law='square'), "size_law must be one of .* got 'square'"),
        (dict(contrast='dark'), "contrast must be one of .* got 'dark'"),
        (dict(max_digits=0), 'max_digits must be at least 1, got 0'),
        (dict(clutter=-1), 'clutter must be at least 0, got -1'),
        (dict(seed=-1), 'seed must be at least 0, got -1'),
    ],
)
def test_bad_arguments(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        ScaledDigits(data_root=str(tmp_path), **change)


def test_a_digit_that_does_not_fit_is_dropped():
    placed = place_squares(np.random.default_rng(0), [40, 40, 10], image_size=50)
    assert placed[0][2] == 40 and 40 not in [side for *_, side in placed[1:]]
    assert place_squares(np.random.default_rng(0), [50], image_size=50) == [(0, 0, 50)]


@pytest.mark.parametrize('law, middle', [('log', np.sqrt(7 * 43)), ('uniform', 25)])
def test_distribution_of_the_sides(law, middle):
    sides = np.array(draw_sides(np.random.default_rng(0), 20_000, 7, 42, law))
    assert sides.min() == 7 and sides.max() == 42 and (np.diff(sides) <= 0).all()
    assert abs((sides < middle).mean() - 0.5) < 0.03


@pytest.mark.parametrize('grey', [0, 100, 127, 160, 255])
def test_colour_contrast(grey):
    behind = np.full((3, 3, 3), float(grey))
    steps = np.array(
        [
            pick_colour(np.random.default_rng(seed), behind, 'both') @ LUMA - grey
            for seed in range(50)
        ]
    )
    assert (np.abs(steps) >= MIN_CONTRAST).all()
    if grey == 127:
        assert steps.min() < 0 < steps.max()


def test_light_digits_on_dark_ground():
    for seed in range(50):
        rng = np.random.default_rng(seed)
        ground = digits_render.draw_background(rng, 16, 'light')
        assert ground.max() <= digits_render.DARK
        assert pick_colour(rng, ground, 'light') @ LUMA - ground.mean((0, 1)) @ LUMA >= MIN_CONTRAST


@pytest.mark.parametrize('side', [5, 8, 42])
def test_alpha_and_box(side):
    for index in (0, 1, 7, 500):
        alpha = digit_alpha(SOURCE.images[index], side)
        assert alpha.shape == (side, side) and alpha.min() >= 0 and alpha.max() <= 1
        x, y, width, height = tight_box(alpha)
        outside = alpha.copy()
        outside[y : y + height, x : x + width] = 0
        assert outside.max() < digits_render.VISIBLE
        inside = alpha[y : y + height, x : x + width] >= digits_render.VISIBLE
        assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()
