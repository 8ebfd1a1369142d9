"""Compact rows of predictions and ground truth, read from MMPretrain's data samples."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .functional.size_aware import areas_to_sizes
from .functional.validation import check_scores, check_targets


class EvaluationRows(NamedTuple):
    """Hold predictions and ground truth of N images and K classes.

    Attributes:
        scores: Scores, float32 (N, K).
        targets: Targets, 1, 0 or -1, int8 (N, K).
        sizes: Sizes 0 to 3, see ``areas_to_sizes``, int8 (N, K).
        sample_idx: Index of the image in the data set, -1 if unknown, int64 (N,).
    """

    scores: NDArray[np.float32]
    targets: NDArray[np.int8]
    sizes: NDArray[np.int8]
    sample_idx: NDArray[np.int64]

    def take(self, index: NDArray[np.int64]) -> 'EvaluationRows':
        """Select the rows at ``index``, in its order."""
        return EvaluationRows(
            self.scores[index], self.targets[index], self.sizes[index], self.sample_idx[index]
        )


def concat_rows(parts: Sequence[EvaluationRows]) -> EvaluationRows:
    """Concatenate batches; none at all gives N = K = 0."""
    if not parts:
        matrix = np.zeros((0, 0), dtype=np.int8)
        return EvaluationRows(
            matrix.astype(np.float32), matrix, matrix, np.zeros(0, dtype=np.int64)
        )
    return EvaluationRows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def sample_name(sample: Any, position: int) -> str:
    """Name a dict or data sample by its image path, else its index, else its place in the batch."""
    path, index = sample.get('img_path'), sample.get('sample_idx')
    if path is not None:
        return str(path)
    return f'sample {position} of the batch' if index is None else f'sample_idx {int(index)}'


def _check_lengths(
    vectors: Sequence[torch.Tensor | NDArray[Any]], key: str, names: list[str], length: int
) -> None:
    for vector, name in zip(vectors, names, strict=True):
        if vector.shape != (length,):
            raise ValueError(
                f'{key} must have shape ({length},), got {tuple(vector.shape)} for {name}'
            )


def _matrix(
    vectors: list[torch.Tensor], key: str, names: list[str], length: int
) -> NDArray[np.float32]:
    """Stack B vectors of ``length`` entries and copy them to the CPU, shape (B, length)."""
    _check_lengths(vectors, key, names, length)
    stacked: NDArray[np.float32] = torch.stack(vectors).detach().to('cpu', torch.float32).numpy()
    return stacked


def _tensor(value: Any) -> torch.Tensor:
    """Convert like ``torch.as_tensor``, which takes microseconds even for a tensor."""
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(value)


def sample_target(sample: Any, num_classes: int, name: str) -> torch.Tensor:
    """Return the targets of a sample: ``gt_score``, else the multi-hot vector of ``gt_label``.

    MMPretrain's own data sets give ``gt_label`` only, the indices of the positive classes.

    Args:
        sample: Dict or data sample.
        num_classes: Number of classes K.
        name: Name of the sample in the messages.

    Returns:
        The values of ``gt_score`` as they are, or int8 (K,) of 1 and 0.

    Raises:
        ValueError: The sample has neither entry, or a label is not in [0, K).
    """
    if sample.get('gt_score') is not None:
        return _tensor(sample.get('gt_score'))
    if sample.get('gt_label') is None:
        raise ValueError(f'a sample needs gt_score or gt_label, got neither for {name}')
    label = _tensor(sample.get('gt_label')).long().flatten()
    if label.numel() and not 0 <= int(label.min()) <= int(label.max()) < num_classes:
        raise ValueError(
            f'gt_label must be indices in [0, {num_classes}), got {label.tolist()} for {name}'
        )
    target = torch.zeros(num_classes, dtype=torch.int8, device=label.device)
    target[label] = 1
    return target


def _area_scale(sample: dict[str, Any], name: str) -> float:
    """Divide the area of the network's input by that of the image file."""
    for key in ('ori_shape', 'img_shape'):
        if sample.get(key) is None:
            raise ValueError(f"size_at='input' needs {key} in every sample, none for {name}")
    ori_h, ori_w = sample['ori_shape'][:2]
    img_h, img_w = sample['img_shape'][:2]
    return float(img_h * img_w) / float(ori_h * ori_w)


def _areas(sample: dict[str, Any], num_classes: int) -> NDArray[Any]:
    """Return the areas (K,) of a sample, NaN where it gives none."""
    areas = sample.get('gt_area')
    if areas is None:
        return np.full(num_classes, np.nan)
    if isinstance(areas, torch.Tensor):
        return areas.detach().to('cpu', torch.float64).numpy()
    return np.asarray(areas)


def _sizes(
    samples: Sequence[dict[str, Any]],
    names: list[str],
    num_classes: int,
    thresholds: Sequence[float],
    size_at: str,
) -> NDArray[np.int8]:
    vectors = [_areas(sample, num_classes) for sample in samples]
    _check_lengths(vectors, 'gt_area', names, num_classes)
    areas = np.stack(vectors, dtype=np.float64)
    if size_at == 'input':
        scale = [_area_scale(sample, name) for sample, name in zip(samples, names, strict=True)]
        areas = areas * np.array(scale)[:, None]
    return areas_to_sizes(areas, thresholds)


def rows_from_samples(
    samples: Sequence[dict[str, Any]],
    size_thresholds: Sequence[float] | None = None,
    size_at: str = 'original',
) -> EvaluationRows:
    """Read one batch of B samples into new arrays.

    Args:
        samples: Dicts with ``pred_score`` (K,) and ``gt_score`` (K,) of 1, 0, -1, or
            ``gt_label`` (class indices) in its place; optional ``gt_area`` (K,) in px^2 of the
            image file (NaN where none), ``sample_idx``, ``img_path``, ``ori_shape`` and
            ``img_shape`` (height, width). Tensors may be on any device.
        size_thresholds: Bounds in px^2 for ``areas_to_sizes``; ``None`` leaves all sizes 0.
        size_at: ``original`` for areas as they are, ``input`` for areas times the area of
            ``img_shape`` over that of ``ori_shape``, correct for a plain resize without crop.

    Raises:
        ValueError: An entry is missing, has another length than the first ``pred_score`` or a
            value that is not allowed (NaN and infinite scores too); the message names the image.
    """
    if not samples:
        return concat_rows([])
    names = [sample_name(sample, i) for i, sample in enumerate(samples)]
    for sample, name in zip(samples, names, strict=True):
        if sample.get('pred_score') is None:
            raise ValueError(f'a sample needs pred_score, got none for {name}')
    predictions = [_tensor(sample['pred_score']) for sample in samples]
    num_classes = predictions[0].numel()
    scores = _matrix(predictions, 'pred_score', names, num_classes)
    check_scores(scores, names)
    given = [
        sample_target(sample, num_classes, name)
        for sample, name in zip(samples, names, strict=True)
    ]
    targets = check_targets(_matrix(given, 'gt_score', names, num_classes), scores.shape, names)
    sizes = (
        np.zeros(targets.shape, dtype=np.int8)
        if size_thresholds is None
        else _sizes(samples, names, num_classes, size_thresholds, size_at)
    )
    index = [
        -1 if sample.get('sample_idx') is None else int(sample['sample_idx']) for sample in samples
    ]
    return EvaluationRows(scores, targets, sizes, np.array(index, dtype=np.int64))
