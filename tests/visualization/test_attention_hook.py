from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.visualization import Visualizer
from mmpretrain.structures import DataSample

from mmmsf.checkpoint.loading import build_model
from mmmsf.visualization import AttentionHook
from mmmsf.visualization.attention_hook import choose_classes
from tests.helpers.small_checkpoint import CLASSES, small_config


def make_batch(folder: Path, number: int) -> dict[str, Any]:
    """Red images; all have the first and the last class."""
    image = np.zeros((32, 32, 3), np.uint8)
    image[..., 2] = 255
    samples = []
    for i in range(number):
        cv2.imwrite(str(folder / f'{i}.png'), image)
        sample = DataSample(
            metainfo=dict(img_path=str(folder / f'{i}.png'), ori_shape=(32, 32), img_shape=(32, 32))
        )
        samples.append(sample.set_gt_score(torch.tensor([1.0, 0, 0, 0, 1.0])))
    inputs = torch.from_numpy(image).permute(2, 0, 1).repeat(number, 1, 1, 1)
    return dict(inputs=inputs, data_samples=samples)


def make_runner(folder: Path, model: torch.nn.Module, backend: str = 'LocalVisBackend') -> Any:
    visualizer = Visualizer(vis_backends=[dict(type=backend)], save_dir=str(folder / 'vis'))
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=CLASSES)))
    return SimpleNamespace(
        model=model,
        epoch=2,
        visualizer=visualizer,
        val_dataloader=loader,
        logger=MMLogger.get_current_instance(),
    )


def validate(hook: AttentionHook, runner: Any, folder: Path, epoch: int = 2) -> None:
    runner.epoch = epoch
    hook.before_val_epoch(runner)
    for number in range(2):
        batch = make_batch(folder, 3)
        outputs = runner.model.val_step(dict(batch))
        hook.after_val_iter(runner, number, batch, outputs)
    hook.after_val_epoch(runner)


def test_first_images_are_drawn_in_their_colours(tmp_path: Path) -> None:
    runner = make_runner(tmp_path, build_model(small_config(thr=0.0)))
    validate(AttentionHook(num_images=4, num_classes=3), runner, tmp_path)
    files = sorted((tmp_path / 'vis').rglob('*.png'))
    assert [file.name for file in files] == [f'attention_{i}_2.png' for i in range(4)]
    blue, green, red = cv2.imread(str(files[0]))[60, 60].tolist()
    assert (red, green, blue) == (255, 0, 0)


def test_only_every_interval(tmp_path: Path) -> None:
    runner = make_runner(tmp_path, build_model(small_config()))
    hook = AttentionHook(interval=2, num_images=1)
    for epoch in (1, 2, 3, 4):
        validate(hook, runner, tmp_path, epoch)
    names = sorted(file.name for file in (tmp_path / 'vis').rglob('*.png'))
    assert names == ['attention_0_2.png', 'attention_0_4.png']


def test_tensorboard_gets_the_image(tmp_path: Path) -> None:
    accumulator = pytest.importorskip('tensorboard.backend.event_processing.event_accumulator')
    runner = make_runner(tmp_path, build_model(small_config()), 'TensorboardVisBackend')
    validate(AttentionHook(num_images=1), runner, tmp_path)
    runner.visualizer.close()
    events = accumulator.EventAccumulator(
        str(next((tmp_path / 'vis').rglob('events*'))), size_guidance=dict(images=0)
    )
    events.Reload()
    (image,) = events.Images('attention_0')
    assert image.step == 2
    pixels = cv2.imdecode(np.frombuffer(image.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert pixels[60, 60].tolist() == [0, 0, 255]  # red, in OpenCV's order


def test_true_classes_come_first() -> None:
    sample = DataSample().set_gt_score(torch.tensor([0.0, 1, 1, 0, -1]))
    sample.set_pred_score(torch.tensor([0.9, 0.1, 0.6, 0.2, 0.8]))
    sample.set_pred_label(torch.tensor([0, 2, 4]))
    assert choose_classes(sample, 5) == [2, 1, 0, 4]
    assert choose_classes(sample, 3) == [2, 1, 0]


def test_labels_in_place_of_scores(tmp_path: Path) -> None:
    """Data sets of MMPretrain give `gt_label` only."""
    sample = DataSample().set_gt_label([1, 2]).set_pred_label(torch.tensor([0]))
    sample.set_pred_score(torch.tensor([0.9, 0.1, 0.6, 0.2, 0.8]))
    assert choose_classes(sample, 5) == [2, 1, 0]
    runner, batch = make_runner(tmp_path, build_model(small_config())), make_batch(tmp_path, 1)
    (target,) = batch['data_samples']
    del target.gt_score
    target.set_gt_label([3])
    hook = AttentionHook()
    hook.before_val_epoch(runner)
    hook.after_val_iter(runner, 0, batch, runner.model.val_step(dict(batch)))
    assert list((tmp_path / 'vis').rglob('attention_0_2.png'))


def test_a_head_without_attention_is_left_alone(tmp_path: Path, capture_log: list[str]) -> None:
    runner = make_runner(tmp_path, build_model(small_config(num_decoder_layers=0)))
    hook = AttentionHook()
    for epoch in (1, 2):
        validate(hook, runner, tmp_path, epoch)
    assert not list((tmp_path / 'vis').rglob('*.png'))
    assert sum('AttentionHook draws nothing' in line for line in capture_log) == 1


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match='`interval` must be at least 1, got 0'):
        AttentionHook(interval=0)
