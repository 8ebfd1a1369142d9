"""Exportable module from RGB images to scores."""

import copy
from collections.abc import Sequence

import torch
from mmpretrain.models import ImageClassifier
from mmpretrain.models.heads import MultiLabelClsHead
from mmpretrain.models.utils import ClsDataPreprocessor
from torch import Tensor, nn

from mmmsf.models.layers import LearnedPositionEncoding
from mmmsf.models.necks import MSFNeck


def _resample(table: Tensor, size: int) -> Tensor:
    """Resample as :func:`resample_table`, by operators that export for any size, 1 included.

    Args:
        table: (L, D).
        size: Wanted number of entries; may be symbolic.

    Returns:
        (size, D).
    """
    last = len(table) - 1
    steps = torch.arange(size, dtype=table.dtype, device=table.device)
    place = steps * last / steps[-1:].clamp(min=1)
    lower = place.floor().clamp(max=last)
    upper = (lower + 1).clamp(max=last)
    weight = (place - lower)[:, None]
    return table[lower.long()] * (1 - weight) + table[upper.long()] * weight


class AnySizePositions(nn.Module):
    """Resample the trained entries of a position encoding at every size.

    At the trained size this is the identity, since the end entries stay in place.

    Args:
        position: Encoding that stores the map sizes of its training.

    Raises:
        ValueError: The encoding does not store them.
    """

    def __init__(self, position: LearnedPositionEncoding) -> None:
        super().__init__()
        grid = position.trained_grid.tolist()
        if [0, 0] in grid:
            raise ValueError(
                'the position tables of this checkpoint must store the map size of their '
                'training to be resampled for any size; export a fixed size'
            )
        self.rows = nn.ParameterList(position.row_embed[:size].clone() for size, _ in grid)
        self.cols = nn.ParameterList(position.col_embed[:size].clone() for _, size in grid)

    def forward(self, shapes: Sequence[tuple[int, int]]) -> list[Tensor]:
        """Encode as :meth:`LearnedPositionEncoding.forward`."""
        encodings = []
        for row, col, (height, width) in zip(self.rows, self.cols, shapes, strict=True):
            rows, cols = _resample(row, height), _resample(col, width)
            pos = torch.cat(
                [
                    cols[None].expand(height, -1, -1),  # (h, w, C/2)
                    rows[:, None].expand(-1, width, -1),  # (h, w, C/2)
                ],
                dim=-1,
            )
            encodings.append(pos.flatten(0, 1))  # (h*w, C)
        return encodings


class ScoreModel(nn.Module):
    """Normalise, run the network and apply the sigmoid, on a copy of the model.

    Args:
        model: Classifier.
        any_size: Resample the position encoding for the size of the images.

    Raises:
        ValueError: The head is not a multi-label one, the preprocessor pads, or the model cannot
            be exported for any size.
    """

    def __init__(self, model: ImageClassifier, any_size: bool = False) -> None:
        super().__init__()
        if not isinstance(model.head, MultiLabelClsHead):
            raise ValueError(
                'the head must be a MultiLabelClsHead, whose scores are the sigmoid of its output, '
                f'got {type(model.head).__name__}'
            )
        preprocessor = model.data_preprocessor
        if not isinstance(preprocessor, ClsDataPreprocessor):
            raise ValueError(
                'the data preprocessor must be a ClsDataPreprocessor, got '
                f'{type(preprocessor).__name__}'
            )
        if preprocessor.pad_size_divisor > 1:
            raise ValueError(
                '`pad_size_divisor` of the data preprocessor must be 1, got '
                f'{preprocessor.pad_size_divisor}'
            )
        self.to_bgr = not preprocessor.to_rgb
        shape = (1, 3, 1, 1)
        normalize = preprocessor._enable_normalize
        mean = preprocessor.mean if normalize else torch.zeros(3)
        std = preprocessor.std if normalize else torch.ones(3)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer('mean', mean.expand(3, 1, 1).reshape(shape).clone())
        self.register_buffer('std', std.expand(3, 1, 1).reshape(shape).clone())
        self.model = copy.deepcopy(model).eval()
        if any_size:
            neck = model.neck if model.with_neck else None
            if isinstance(neck, MSFNeck) and neck.interpolation == 'area':
                raise ValueError(
                    "interpolation='area' has no ONNX form for any image size; export a fixed size"
                )
            for module in list(self.model.modules()):
                for name, child in module.named_children():
                    if isinstance(child, LearnedPositionEncoding):
                        setattr(module, name, AnySizePositions(child))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Compute scores (B, K), 0 to 1, of RGB images (B, 3, H, W), float32 of 0 to 255."""
        if self.to_bgr:
            images = images.flip(1)
        feats = self.model.extract_feat((images - self.mean) / self.std)
        return self.model.head(feats).sigmoid()
