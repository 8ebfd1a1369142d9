"""Images after the test pipeline, as the network takes them."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import DefaultScope
from numpy.typing import NDArray

_SCOPE = 'mmpretrain'


def set_pipeline_size(
    pipeline: Sequence[dict[str, Any]], size: tuple[int, int] | None
) -> list[dict[str, Any]]:
    """Copy a pipeline and set its Resize, if any, to ``size`` (height, width), unless None."""
    return [
        {**step, 'scale': (size[1], size[0])}
        if size is not None and str(step['type']).rsplit('.', 1)[-1] == 'Resize'
        else dict(step)
        for step in pipeline
    ]


def build_dataset(cfg: Config, loader: str, pipeline: Sequence[dict[str, Any]]) -> BaseDataset:
    """Build the dataset of a loader of the config with another pipeline, in test mode.

    Raises:
        ValueError: The config has no such loader.
        FileNotFoundError: Its data do not exist.
    """
    if cfg.get(loader) is None:
        raise ValueError(f'the config has no `{loader}`')
    with DefaultScope.overwrite_default_scope(_SCOPE):
        return ROOT_DATASETS.build(
            {**cfg[loader].dataset.to_dict(), 'pipeline': list(pipeline), 'test_mode': True}
        )


def to_image(data: dict[str, Any]) -> NDArray[np.uint8]:
    """Return the BGR image (H, W, 3) in the output of a pipeline.

    Raises:
        ValueError: It is no uint8 tensor.
    """
    inputs = data['inputs']
    if not isinstance(inputs, torch.Tensor) or inputs.dtype != torch.uint8:
        kind = inputs.dtype if isinstance(inputs, torch.Tensor) else type(inputs).__name__
        raise ValueError(f'the test pipeline must give uint8 images, got {kind}')
    return inputs.permute(1, 2, 0).numpy()


def dataset_images(dataset: BaseDataset, indices: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    """Yield BGR images (H, W, 3) of a dataset."""
    return (to_image(dataset[int(i)]) for i in indices)


def pipeline_images(
    cfg: Config, pipeline: Sequence[dict[str, Any]], files: Sequence[str | Path], count: int
) -> list[NDArray[np.uint8]]:
    """Load ``count`` BGR images (H, W, 3), from files or else from the start of the test set.

    Fewer images than ``count`` are repeated.

    Raises:
        ValueError: An image cannot be read, or there is no test set and no file.
        FileNotFoundError: The data of the test set do not exist.
    """
    if files:
        with DefaultScope.overwrite_default_scope(_SCOPE):
            steps = Compose([ROOT_TRANSFORMS.build(step) for step in pipeline])
        found = [to_image(steps(dict(img_path=str(file)))) for file in islice(files, count)]
    else:
        dataset = build_dataset(cfg, 'test_dataloader', pipeline)
        found = list(dataset_images(dataset, range(min(count, len(dataset)))))
    if not found:
        raise ValueError('the test set of the config must have an image; name image files instead')
    return [found[i % len(found)] for i in range(count)]
