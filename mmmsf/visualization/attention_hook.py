"""Attention maps of validation images in the run's visualiser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch import Tensor

from mmmsf.datasets.transforms import decode_image
from mmmsf.evaluation.rows import sample_target
from mmmsf.models.heads.attention_maps import map_kind, predict_with_maps
from mmmsf.registry import HOOKS
from mmmsf.utils.printable import printable
from mmmsf.utils.unwrap import unwrap_model

from .attention_geometry import visible_region
from .attention_map import ClassAttention, draw_attention


def choose_classes(sample: DataSample, num_classes: int) -> list[int]:
    """Choose the classes to draw: true ones first, then predicted ones, each by falling score."""
    order = sample.pred_score.argsort(descending=True).tolist()
    truth = sample_target(sample, len(order), sample.get('img_path')).tolist()
    predicted = set(sample.pred_label.cpu().tolist())
    true = [k for k in order if truth[k] > 0]
    return (true + [k for k in order if k in predicted and truth[k] <= 0])[:num_classes]


@HOOKS.register_module()
class AttentionHook(Hook):
    """Draw the attention of the first validation images' true and predicted classes.

    Each image is written as ``attention_<i>`` to every visualisation backend (TensorBoard, files
    in ``vis_data/vis_image`` ...), with the epoch as its step. The maps are computed with the
    validated weights, so with the average where the run keeps one. CSRA and linear heads get class
    activation maps; for a head without maps nothing is drawn, and the log warns once. In a
    distributed run the main process draws images of its own share.

    Args:
        interval: Number of epochs between two drawings.
        num_images: Number of images, the first of the set.
        num_classes: Number of classes of an image, the true ones first.
        layer: Decoder layer, by default the last.
        size: Longer side of a panel in pixels.

    Raises:
        ValueError: A number other than ``layer`` is below 1.
    """

    priority = 'LOW'

    def __init__(
        self,
        interval: int = 1,
        num_images: int = 4,
        num_classes: int = 4,
        layer: int = -1,
        size: int = 160,
    ) -> None:
        for name, value in (
            ('interval', interval),
            ('num_images', num_images),
            ('num_classes', num_classes),
            ('size', size),
        ):
            if value < 1:
                raise ValueError(f'`{name}` must be at least 1, got {value}')
        self.interval = interval
        self.num_images = num_images
        self.num_classes = num_classes
        self.layer = layer
        self.size = size
        self._drawn = 0
        self._enabled = False
        self._warned = False

    def before_val_epoch(self, runner: Runner) -> None:
        """Enable drawing in the epochs of the interval, if the model has maps."""
        self._drawn = 0
        self._enabled = runner.epoch % self.interval == 0 and is_main_process()
        if self._enabled and map_kind(runner.model) is None:
            self._enabled = False
            if not self._warned:
                self._warned = True
                runner.logger.warning('AttentionHook draws nothing: the head has no attention')

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[DataSample] | None = None,
    ) -> None:
        """Draw the images of the first batches with the weights that predicted them."""
        number = min(self.num_images - self._drawn, len(outputs or ()))
        if not self._enabled or number <= 0 or data_batch is None or outputs is None:
            return
        model = unwrap_model(runner.model)
        batch = dict(inputs=data_batch['inputs'][:number])
        with torch.no_grad():
            inputs = model.data_preprocessor(batch, False)['inputs']
        _, maps = predict_with_maps(model, inputs, layer=self.layer)
        names = getattr(runner.val_dataloader.dataset, 'metainfo', {}).get('classes')
        for index, sample in enumerate(outputs[:number]):
            picture = self._draw(sample, [x[index] for x in maps], names)
            if picture is not None:
                runner.visualizer.add_image(f'attention_{self._drawn}', picture, runner.epoch)
            self._drawn += 1

    def _draw(
        self, sample: DataSample, maps: Sequence[Tensor], names: Sequence[str] | None
    ) -> np.ndarray | None:
        """Draw one image, RGB (H, W, 3); None where it has neither true nor predicted classes."""
        truth = sample_target(sample, len(sample.pred_score), sample.get('img_path')).tolist()
        rows = []
        for k in choose_classes(sample, self.num_classes):
            name = printable(names[k]) if names else str(k)
            mark = 'true' if truth[k] > 0 else 'false' if truth[k] == 0 else 'ignored'
            rows.append(
                ClassAttention(
                    f'{name} ({mark}) {sample.pred_score[k].detach():.2f}',
                    [x[k].float().cpu().numpy() for x in maps],
                )
            )
        if not rows:
            return None
        path = sample.img_path
        image = decode_image(Path(path).read_bytes(), str(path))[..., ::-1]
        return np.asarray(draw_attention(image, rows, visible_region(sample), self.size))
