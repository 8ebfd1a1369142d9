"""Show in the run's visualiser where the network looks."""

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
from mmmsf.models.heads.attention_maps import class_attention, has_attention_maps
from mmmsf.registry import HOOKS
from mmmsf.utils.printable import printable
from mmmsf.utils.unwrap import unwrap_model

from .attention_geometry import visible_region
from .attention_map import ClassAttention, draw_attention


def choose_classes(sample: DataSample, num_classes: int) -> list[int]:
    """Classes to draw: the true ones first, then the predicted ones, each by falling score."""
    order = sample.pred_score.argsort(descending=True).tolist()
    truth = sample.gt_score.cpu().tolist()
    predicted = set(sample.pred_label.cpu().tolist())
    true = [k for k in order if truth[k] > 0]
    return (true + [k for k in order if k in predicted and truth[k] <= 0])[:num_classes]


@HOOKS.register_module()
class AttentionHook(Hook):
    """Draw the attention of the first validation images' true and predicted classes.

    Each image becomes ``attention_<i>`` of every visualisation backend (TensorBoard, files in
    ``vis_data/vis_image`` ...), with the epoch as its step. The maps are those of the weights that
    are validated, averaged ones included. A head without cross-attention is left alone; the log
    says so once. In a distributed run the main process draws images of its own share.

    Args:
        interval: draw after every so many epochs.
        num_images: images to draw, the first of the set.
        num_classes: classes of an image, the true ones first.
        layer: decoder layer, by default the last.
        size: longer side of a panel in pixels.

    Raises:
        ValueError: a number other than ``layer`` is below 1.
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
        self._told = False

    def before_val_epoch(self, runner: Runner) -> None:
        """Settle whether this validation is drawn."""
        self._drawn = 0
        self._enabled = runner.epoch % self.interval == 0 and is_main_process()
        if self._enabled and not has_attention_maps(runner.model):
            self._enabled = False
            if not self._told:
                self._told = True
                runner.logger.warning(
                    'AttentionHook draws nothing: the head has no cross-attention'
                )

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[DataSample] | None = None,
    ) -> None:
        """Draw the images of the first batches, while their weights are in place."""
        number = min(self.num_images - self._drawn, len(outputs or ()))
        if not self._enabled or number <= 0 or data_batch is None or outputs is None:
            return
        model = unwrap_model(runner.model)
        batch = dict(inputs=data_batch['inputs'][:number])
        with torch.no_grad():
            inputs = model.data_preprocessor(batch, False)['inputs']
        maps = class_attention(model, inputs, self.layer)
        names = getattr(runner.val_dataloader.dataset, 'metainfo', {}).get('classes')
        for index, sample in enumerate(outputs[:number]):
            picture = self._draw(sample, [x[index] for x in maps], names)
            if picture is not None:
                runner.visualizer.add_image(f'attention_{self._drawn}', picture, runner.epoch)
            self._drawn += 1

    def _draw(
        self, sample: DataSample, maps: Sequence[Tensor], names: Sequence[str] | None
    ) -> np.ndarray | None:
        """RGB picture (H, W, 3) of one image; None where there is no class to show."""
        truth, rows = sample.gt_score.cpu().tolist(), []
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
