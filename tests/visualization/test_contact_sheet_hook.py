from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmpretrain.structures import DataSample
from PIL import Image

from mmmsf.engine import TuneThresholdsHook
from mmmsf.utils.groups import Group
from mmmsf.visualization import ContactSheetHook
from mmmsf.visualization.contact_sheet_hook import make_tile


def make_sample(path: Path, index: int) -> DataSample:
    image = np.zeros((8, 8, 3), np.uint8)
    image[..., 2] = 255  # red, in OpenCV's order
    cv2.imwrite(str(path), image)
    sample = DataSample(metainfo=dict(img_path=str(path), sample_idx=index))
    sample.set_gt_score(torch.tensor([1.0, 1.0, 0.0, 0.0, -1.0]))
    return sample.set_pred_label(torch.tensor([0, 2, 4]))


def test_tile_sorts_the_labels_and_keeps_the_colours(tmp_path: Path) -> None:
    tile = make_tile(make_sample(tmp_path / 'a.png', 0), list('abcde'))
    assert (tile.right, tile.missed, tile.false) == (['a'], ['b'], ['c'])
    assert tile.image[0, 0].tolist() == [255, 0, 0]


def test_labels_in_place_of_scores(tmp_path: Path) -> None:
    sample = make_sample(tmp_path / 'a.png', 0)
    del sample.gt_score
    with pytest.raises(ValueError, match='needs gt_score or gt_label'):
        make_tile(sample, list('abcde'))
    tile = make_tile(sample.set_gt_label([0, 1]), list('abcde'))
    assert (tile.right, tile.missed, tile.false) == (['a'], ['b'], ['c', 'e'])


def make_runner(tmp_path: Path, samples: list[DataSample]) -> Any:
    dataset = SimpleNamespace(metainfo=dict(classes=tuple('abcde')), __len__=None)
    loader = SimpleNamespace(
        dataset=type(
            'Set', (), {'metainfo': dataset.metainfo, '__len__': lambda self: len(samples)}
        )()
    )
    return SimpleNamespace(
        work_dir=str(tmp_path),
        hooks=[],
        model=None,
        logger=MMLogger.get_current_instance(),
        val_dataloader=loader,
        test_dataloader=loader,
    )


def test_sheet_is_spread_over_the_set_and_starts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = [make_sample(tmp_path / f'{i}.png', i) for i in range(10)]
    runner, hook = make_runner(tmp_path, samples), ContactSheetHook(num_images=5)
    drawn: list[list[str]] = []
    monkeypatch.setattr(
        'mmmsf.visualization.contact_sheet_hook.draw_contact_sheet',
        lambda tiles, columns: drawn.append([t.title for t in tiles]) or Image.new('RGB', (1, 1)),
    )
    for _ in range(2):
        for start in (0, 4, 8):
            hook.after_val_iter(runner, start, None, samples[start : start + 4])
        hook.after_val_epoch(runner)
    assert drawn == [['0.png', '2.png', '4.png', '6.png', '8.png']] * 2
    assert (tmp_path / 'val/contact_sheet.png').exists()


def test_tuned_thresholds_decide_after_a_validation_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = make_sample(tmp_path / 'a.png', 0).set_pred_score(
        torch.tensor([0.6, 0.4, 0.4, 0.9, 0.9])
    )
    runner, hook = make_runner(tmp_path, [sample]), ContactSheetHook()
    tuned = TuneThresholdsHook()
    tuned.values = np.array([0.7, 0.4, 0.5, 0.8, 0.5], np.float32)
    runner.hooks = [tuned]
    drawn: list[tuple[list[str], ...]] = []
    monkeypatch.setattr(
        'mmmsf.visualization.contact_sheet_hook.draw_contact_sheet',
        lambda tiles, columns: (
            drawn.extend((t.right, t.missed, t.false) for t in tiles) or Image.new('RGB', (1, 1))
        ),
    )
    hook.after_val_iter(runner, 0, None, [sample])
    hook.after_val_epoch(runner)
    hook.after_test_iter(runner, 0, None, [sample])
    hook.after_test_epoch(runner)
    runner.model = SimpleNamespace(groups=(Group('g', (0, 1), 'one'),))
    hook.after_val_iter(runner, 0, None, [sample])
    hook.after_val_epoch(runner)
    assert drawn == [
        (['b'], ['a'], ['d']),
        (['a'], ['b'], ['c']),
        (['a'], ['b'], ['d']),  # of the group the highest score
    ]


def test_show_dir_gets_every_test_image(tmp_path: Path) -> None:
    samples = [make_sample(tmp_path / f'{i}.png', i) for i in range(3)]
    runner = make_runner(tmp_path, samples)
    hook = ContactSheetHook(num_images=0, show_dir=str(tmp_path / 'show'))
    hook.after_test_iter(runner, 0, None, samples)
    hook.after_test_epoch(runner)
    assert sorted(p.name for p in (tmp_path / 'show').iterdir()) == [
        f'00000{i}_{i}.png.png' for i in range(3)
    ]
    assert not (tmp_path / 'test').exists()


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match='`num_images` must be at least 0'):
        ContactSheetHook(num_images=-1)
