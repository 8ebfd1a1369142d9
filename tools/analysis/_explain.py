"""Attention of a class over an image, for the pages that show examples."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from _extraction import Extractor
from _grid import Row
from numpy.typing import NDArray

from mmmsf.apis.inferencer import MultiLabelInferencer
from mmmsf.checkpoint.loading import build_model, load_model
from mmmsf.models.heads.attention_maps import check_class_maps, map_kind
from mmmsf.report.examples import Explain
from mmmsf.visualization.attention_map import ClassAttention, overlay


def make_explain(checkpoint: str, config: str | None, classes: Sequence[str]) -> Explain:
    """Make a function that draws the attention of a class, summed over the scales.

    Args:
        checkpoint: Checkpoint of the model.
        config: Its config; None reads the one in the checkpoint.
        classes: Classes that it must have.

    Raises:
        ValueError: The model has no attention, or other classes.
    """
    inferencer = MultiLabelInferencer(config, checkpoint)
    check_class_maps(inferencer.model)
    if tuple(inferencer.classes) != tuple(classes):
        raise ValueError(f'{checkpoint} has other classes than the first predictions')
    return explain_with(inferencer)


def explain_with(inferencer: MultiLabelInferencer) -> Explain:
    """Make a function that draws the attention of a model that has some."""

    def explain(image: NDArray[np.uint8], label: int) -> NDArray[np.uint8]:
        found = inferencer(image[..., ::-1], return_attention=True, show_progress=False)[0]
        one = ClassAttention('', [maps[label] for maps in found['attention']])
        return overlay(image, one.total, found['region'])

    return explain


def explain_row(row: Row, checkpoint: Path) -> Explain | None:
    """Make the function for the checkpoint of a table row, also of one trained on cached features.

    Returns:
        None for a model that has no maps to show.
    """
    loaded = load_model(checkpoint, row.cfg)
    if row.images is not None and row.images is not row.cfg:
        model = build_model(row.images)
        head = model.load_state_dict(loaded.model.state_dict(), strict=False)
        assert not head.unexpected_keys and all('backbone' in key for key in head.missing_keys)
        device = next(loaded.model.parameters()).device
        model.backbone.load_state_dict(Extractor(row.images, 'cpu').backbone.state_dict())
        loaded = replace(loaded, model=model.to(device), cfg=row.images)
    return None if map_kind(loaded.model) is None else explain_with(MultiLabelInferencer(loaded))
