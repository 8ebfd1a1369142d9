"""Results of the inferencer for one image, as data and as a picture."""

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
from mmmsf.utils.groups import Group, exclusive_decisions
from mmmsf.utils.printable import printable
from mmmsf.visualization import ClassAttention, Tile, draw_attention, draw_tile
from mmmsf.visualization.attention_geometry import Region, attention_box, visible_region

ON_ERROR = ('raise', 'record')
_DRAWN_CLASSES = 6


@dataclass(frozen=True)
class ResultOptions:
    """Select the results of each image.

    Attributes:
        topk: Take the classes with this many highest scores and ignore the thresholds.
        return_datasamples: Return MMPretrain's data samples instead of dicts; ``pred_label`` holds
            the labels.
        return_scores: Add ``all_scores``, float32 (K,).
        return_boxes: Add ``boxes``, for each label the smallest box (x1, y1, x2, y2), in integer
            pixels of the image after EXIF rotation, around the cells whose attention, summed over
            the scales, is at least ``box_fraction`` of the maximum. This is no detection: separate
            objects share one box.
        return_attention: Add ``attention``, for each scale float32 (K, h, w), every map summing to
            one, and ``region``, the part (x1, y1, x2, y2) of the image that the maps cover. Class
            activation maps take the place of attention for CSRA and linear heads.
        box_fraction: Above 0 and at most 1, see ``return_boxes``.
        attention_layer: Number of the decoder layer, by default the last.
        show_dir: Folder for a picture of each image with its labels; with ``return_attention`` or
            ``return_boxes`` also with the attention of its first labels.
        on_error: ``'raise'``, or ``'record'`` to return ``dict(path=..., error='message')`` for an
            image that cannot be used and to continue with the others.

    Raises:
        ValueError: A value is outside its range.
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
        """True where a result needs the maps."""
        return self.return_boxes or self.return_attention


def choose_labels(
    scores: Tensor,
    thresholds: NDArray[np.float32],
    topk: int | None,
    groups: Sequence[Group] = (),
) -> Tensor:
    """Choose the classes of an image.

    Args:
        scores: (K,).
        thresholds: (K,); a class is chosen from its threshold on.
        topk: Choose the classes with the highest scores instead, without regard to groups.
        groups: Exclusive groups, whose rules the choice by thresholds keeps.

    Returns:
        Class indices, highest score first.
    """
    order = scores.argsort(descending=True, stable=True)
    if topk is not None:
        return order[:topk]
    return order[torch.from_numpy(decide(scores, thresholds, groups))[order]]


def decide(
    scores: Tensor, thresholds: NDArray[np.float32], groups: Sequence[Group]
) -> NDArray[np.bool_]:
    """Decide the classes (K,) of an image by thresholds and groups; see :func:`choose_labels`."""
    decided = scores >= torch.from_numpy(thresholds)
    return exclusive_decisions(decided.numpy(), scores.numpy(), groups)


def make_result(
    path: str | None,
    sample: DataSample,
    labels: Tensor,
    maps: Sequence[Tensor] | None,
    classes: Sequence[str],
    options: ResultOptions,
) -> dict[str, Any]:
    """Collect the results of one image.

    Args:
        path: Path of the image, None for an image in memory.
        sample: Prediction with ``pred_score`` (K,) on the CPU and the shapes of the image.
        labels: Class indices, highest score first.
        maps: (K, h_i, w_i) of each scale, None unless the options need them.
        classes: K names.
        options: Choice of the optional entries.

    Returns:
        ``path``, ``labels``, ``scores``, ``indices`` and the entries of :class:`ResultOptions`.
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
        result: Results of :func:`make_result`.
        maps: (K, h_i, w_i) of each scale, None to draw none.
        region: Part of the image that the maps cover.
        size: Longer side of a panel in pixels.
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
    """Name a picture by the image's number in the run and its sanitized file name."""
    stem = re.sub(r'[^\w.-]+', '_', '' if path is None else Path(path).stem)[:80]
    return f'{number:06d}_{stem}.png' if stem else f'{number:06d}.png'
