"""Comparison of an exported model with the torch model."""

from collections.abc import Sequence
from pathlib import Path

import mmcv
import numpy as np
import torch
from mmpretrain.models import ImageClassifier
from numpy.typing import NDArray


def other_size(size: tuple[int, int]) -> tuple[int, int]:
    """Choose a second image size, of another aspect ratio, to check a dynamic size."""
    height, width = size
    return height + height // 4, width + width // 2


def torch_scores(model: ImageClassifier, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute scores (B, K) of BGR images (B, H, W, 3) as a test run does."""
    inputs = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    with torch.no_grad():
        normalized = model.data_preprocessor(dict(inputs=inputs))['inputs']
        return model.head(model.extract_feat(normalized)).sigmoid().cpu().numpy()


def onnx_input(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert BGR images (B, H, W, 3) to RGB float32 (B, 3, H, W), the input of exported models."""
    return np.ascontiguousarray(images[..., ::-1].transpose(0, 3, 1, 2), np.float32)


def check_onnx(
    path: str | Path,
    model: ImageClassifier,
    images: Sequence[NDArray[np.uint8]],
    size: tuple[int, int],
    counts: Sequence[int],
    tolerance: float = 1e-4,
) -> float:
    """Compare the scores of one image size.

    Args:
        path: ONNX file.
        model: Classifier, on the CPU.
        images: BGR images (H, W, 3); those of another size are resized.
        size: (height, width) to compare at.
        counts: Batch sizes to compare at, of the first images.
        tolerance: Largest allowed difference of a score.

    Returns:
        The largest difference.

    Raises:
        ValueError: It is above ``tolerance`` or NaN, the shapes differ, or the file does not run.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    height, width = size
    batch = np.stack([mmcv.imresize(image, (width, height)) for image in images])
    worst = 0.0
    for part in (batch[:count] for count in counts):
        try:
            got = session.run(None, {'images': onnx_input(part)})[0]
        except Exception as error:  # onnxruntime has a type for each way to fail
            raise ValueError(
                f'the exported model cannot be run on {len(part)} images of {height} '
                f'x {width} px: {str(error)[:300]}'
            ) from error
        expected = torch_scores(model, part)
        if got.shape != expected.shape:
            raise ValueError(
                f'the exported model gives scores of shape {got.shape}, the torch '
                f'model {expected.shape}'
            )
        difference = float(np.abs(got - expected).max())
        if not difference <= tolerance:
            raise ValueError(
                f'the scores of the exported model and the torch model for {len(part)} images of '
                f'{height} x {width} px must differ by at most {tolerance:.0e}, they differ by '
                f'{difference:.2e}'
            )
        worst = max(worst, difference)
    return worst
