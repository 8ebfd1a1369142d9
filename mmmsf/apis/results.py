"""What the inferencer gives for one image."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmpretrain.structures import DataSample
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mmmsf.models.heads.attention_maps import sum_maps
from mmmsf.utils.printable import printable
from mmmsf.visualization import ClassAttention, Tile, draw_attention, draw_tile
from mmmsf.visualization.attention_geometry import Region, attention_box, visible_region

ON_ERROR = ('raise', 'record')
_DRAWN_CLASSES = 6


@dataclass(frozen=True)
class ResultOptions:
    """What a caller wants to know of each image.

    Attributes:
        topk: take this many classes with the highest scores, whatever the thresholds say.
        return_datasamples: give MMPretrain's data samples in place of dicts; ``pred_label`` holds
            the labels.
        return_scores: add ``all_scores``, float32 (K,).
        return_boxes: add ``boxes``, for each label the smallest box (x1, y1, x2, y2), in whole
            pixels of the image after EXIF rotation, around its attention summed over the scales,
            from ``box_fraction`` of the maximum on. It says where the network looked; it is no
            detection, and separate objects share one box.
        return_attention: add ``attention``, for each scale float32 (K, h, w), every map summing to
            one, and ``region``, the (x1, y1, x2, y2) of the image that the maps cover.
        box_fraction: see ``return_boxes``; above 0 and at most 1.
        attention_layer: decoder layer whose attention is meant, by default the last.
        show_dir: write each image with its labels there; with ``return_attention`` or
            ``return_boxes`` also the attention of its first labels.
        on_error: ``'raise'``, or ``'record'``: an image that cannot be used gives
            ``dict(path=..., error='message')`` and the others go on.
    """

    topk: int | None = None
    return_datasamples: bool = False
    return_scores: bool = False
    return_boxes: bool = False
    return_attention: bool = False
    box_fraction: float = 0.5
    attention_layer: int = -1
    show_dir: str | Path | None = None
    on_error: str = 'raise'

    def __post_init__(self) -> None:
        if self.topk is not None and self.topk < 1:
            raise ValueError(f'`topk` must be at least 1, got {self.topk}')
        if not 0 < self.box_fraction <= 1:
            raise ValueError(
                f'`box_fraction` must be above 0 and at most 1, got {self.box_fraction}'
            )
        if self.on_error not in ON_ERROR:
            raise ValueError(f'`on_error` must be one of {ON_ERROR}, got {self.on_error!r}')

    @property
    def wants_attention(self) -> bool:
        return self.return_boxes or self.return_attention


def choose_labels(scores: Tensor, thresholds: NDArray[np.float32], topk: int | None) -> Tensor:
    """Class indices with ``scores`` (K,) at or above ``thresholds`` (K,), or the ``topk`` highest;
    highest first.
    """
    order = scores.argsort(descending=True, stable=True)
    if topk is not None:
        return order[:topk]
    return order[scores[order] >= torch.from_numpy(thresholds)[order]]


def make_result(
    path: str | None,
    sample: DataSample,
    labels: Tensor,
    maps: Sequence[Tensor] | None,
    classes: Sequence[str],
    options: ResultOptions,
) -> dict[str, Any]:
    """Describe one image.

    Args:
        path: None for an image in memory.
        sample: with ``pred_score`` (K,) on the CPU and the shapes of the image.
        labels: class indices, highest score first.
        maps: (K, h_i, w_i) attention of each scale, where the options want it.
        classes: K names.
        options: what to put in.

    Returns:
        ``path``, ``labels``, ``scores``, ``indices`` and what :class:`ResultOptions` adds.
    """
    result = dict(
        path=path,
        labels=[classes[k] for k in labels],
        scores=sample.pred_score[labels].tolist(),
        indices=labels.tolist(),
    )
    if options.return_scores:
        result['all_scores'] = sample.pred_score.numpy()
    if maps is None:
        return result
    region = visible_region(sample)
    if options.return_boxes:
        total = sum_maps([x[None, labels] for x in maps])[0].numpy()
        result['boxes'] = [
            attention_box(x, region, sample.ori_shape[:2], options.box_fraction) for x in total
        ]
    if options.return_attention:
        result.update(attention=[x.numpy() for x in maps], region=region)
    return result


def draw_result(
    image: NDArray[np.uint8],
    result: dict[str, Any],
    maps: Sequence[Tensor] | None,
    region: Region,
    size: int = 240,
) -> Image.Image:
    """Draw an image with its labels and, where there are maps, its first labels' attention.

    Args:
        image: (H, W, 3) uint8 BGR.
        result: of :func:`make_result`.
        maps: (K, h_i, w_i) attention of each scale.
        region: the part of the image that the maps cover.
        size: longer side of a panel in pixels.
    """
    rgb = np.ascontiguousarray(image[..., ::-1])
    titles = [
        f'{printable(name)} {score:.2f}'
        for name, score in zip(result['labels'], result['scores'], strict=True)
    ]
    title = '' if result['path'] is None else printable(Path(result['path']).name)
    tile = draw_tile(Tile(rgb, title, right=titles), size)
    if maps is None or not titles:
        return tile
    rows = [
        ClassAttention(name, [x[k].numpy() for x in maps])
        for name, k in zip(titles, result['indices'], strict=True)
    ][:_DRAWN_CLASSES]
    heat = draw_attention(rgb, rows, region, size)
    canvas = Image.new('RGB', (tile.width + heat.width, max(tile.height, heat.height)), 'white')
    canvas.paste(tile, (0, 0))
    canvas.paste(heat, (tile.width, 0))
    return canvas


def picture_name(number: int, path: str | None) -> str:
    """A file name that no other image of the run has: its number, and its own name made tame."""
    stem = re.sub(r'[^\w.-]+', '_', '' if path is None else Path(path).stem)[:80]
    return f'{number:06d}_{stem}.png' if stem else f'{number:06d}.png'
