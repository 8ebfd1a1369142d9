"""Prediction for one photograph of the demo, and its pictures."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmpretrain.models import ImageClassifier
from numpy.typing import NDArray
from PIL import Image

from mmmsf.apis.inferencer import MultiLabelInferencer
from mmmsf.datasets.transforms import decode_image
from mmmsf.models.heads.attention_maps import map_kind
from mmmsf.models.necks import MSFNeck
from mmmsf.visualization.attention_geometry import Region, scale_region
from mmmsf.visualization.attention_map import ClassAttention, overlay

MAX_PIXELS = 50_000_000  # of a photograph; decoded it takes three times as many bytes
SHOWN_SIDES = (320, 640)  # bounds of the longer side of the displayed picture


@dataclass(eq=False)
class Seen:
    """Hold the prediction for one photograph; K classes.

    Attributes:
        scores: (K,) float32.
        image: (h, w, 3) uint8 RGB, resized for display.
        maps: Attention by the name of its scale, float32 (K, h_i, w_i) each; empty for a model
            without attention.
        region: Part of ``image`` that the maps cover.
    """

    scores: NDArray[np.float32]
    image: NDArray[np.uint8]
    maps: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    region: Region = (0, 0, 1, 1)


def look(inferencer: MultiLabelInferencer, path: str | Path, max_pixels: int = MAX_PIXELS) -> Seen:
    """Run the model on one photograph.

    Raises:
        ValueError: The file is no complete image, or its header has more than ``max_pixels``
            pixels; then no memory of its size is allocated.
    """
    image = decode_image(Path(path).read_bytes(), Path(path).name, max_pixels)
    attends = map_kind(inferencer.model) is not None
    found = inferencer(image, return_scores=True, return_attention=attends, show_progress=False)[0]
    seen = Seen(found['all_scores'], _shown(image))
    if attends:
        names = scale_names(inferencer.model, len(found['attention']))
        seen.maps = dict(zip(names, found['attention'], strict=True))
        seen.region = scale_region(found['region'], image.shape[:2], seen.image.shape[:2])
    return seen


def _shown(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert BGR (H, W, 3) to RGB of a size for display."""
    picture = Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
    longer = max(picture.size)
    scale = float(np.clip(longer, *SHOWN_SIDES)) / longer
    width, height = (max(1, round(side * scale)) for side in picture.size)
    method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
    return np.asarray(picture.resize((width, height), method))


def scale_names(model: ImageClassifier, count: int) -> list[str]:
    """Name the scales as MSFNeck does, and the pooling of MSFHead; else by their numbers."""
    if model.with_neck and isinstance(model.neck, MSFNeck):
        names = [*model.neck.scales, *(['pooling'] if model.neck.passthrough else [])]
        if len(names) == count:
            return names
    return [f'scale {i + 1}' for i in range(count)]


def draw_class(seen: Seen, label: int, scale: str) -> NDArray[np.uint8]:
    """Blend the photograph with the attention of one class, RGB (h, w, 3).

    Args:
        seen: Prediction with attention maps.
        label: Class index.
        scale: Key of ``seen.maps``, or ``'sum'``.
    """
    if scale == 'sum':
        values = ClassAttention('', [maps[label] for maps in seen.maps.values()]).total
    else:
        values = seen.maps[scale][label]
    return overlay(seen.image, values, seen.region)
