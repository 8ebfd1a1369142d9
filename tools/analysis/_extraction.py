"""Features of a config's frozen backbone, computed over a dataset and written to a folder."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _features import (
    build_data,
    load_backbone,
    map_names,
    preprocessor_of,
    source_of,
    weight_digests,
)
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope
from torch import Tensor
from torch.utils.data import DataLoader

from mmmsf.datasets.cached_features import file_sizes, image_names
from mmmsf.datasets.readers.feature_store import FeatureIndex, write_records
from mmmsf.engine.resume.sampler import SeededDataset, SeededIndex
from mmmsf.engine.resume.seeding import SAMPLE


class Extractor:
    """Compute the maps of a frozen backbone with its trained weights.

    Args:
        cfg: Config of a model on images; ``init_cfg`` and ``load_from`` give the weights.
        device: Device of the backbone.

    Raises:
        ValueError: The backbone is not frozen.
    """

    def __init__(self, cfg: Config, device: str) -> None:
        self.backbone = load_backbone(cfg)
        self.weights = weight_digests(self.backbone)
        self.backbone.eval()  # MMPretrain's backbones return nothing here
        self.backbone.to(device, memory_format=torch.channels_last)
        settings = dict(type='ClsDataPreprocessor') | preprocessor_of(cfg)
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            self.preprocessor = ROOT_MODELS.build(settings).to(device)

    @torch.no_grad()
    def maps(self, batch: Mapping[str, Any]) -> list[Tensor]:
        """Compute the maps (B, C, h, w) of a collated batch."""
        images = self.preprocessor(batch)['inputs']
        return list(self.backbone(images.contiguous(memory_format=torch.channels_last)))


def view_loader(dataset: Any, views: int, seed: int, batch_size: int, workers: int) -> DataLoader:
    """Load all views of the first image, then of the next.

    View v of image i has the random numbers of epoch v of a training that does not shuffle.
    """
    samples = [
        SeededIndex(image, (SAMPLE, view, image, seed))
        for image in range(len(dataset))
        for view in range(views)
    ]
    return DataLoader(
        SeededDataset(dataset),
        batch_size,
        sampler=samples,
        num_workers=workers,
        collate_fn=collate,
    )


def collate(samples: Sequence[dict[str, Any]]) -> Any:
    """Collate samples of one size.

    Raises:
        ValueError: Two images have different sizes.
    """
    shapes = sorted({tuple(sample['inputs'].shape) for sample in samples})
    if len(shapes) > 1:
        raise ValueError(
            f'images must have one size, got {shapes[0]} and {shapes[1]}; resize them alike in the '
            'pipeline'
        )
    return default_collate(samples)


def write_features(
    cfg: Config,
    split: str,
    folder: Path,
    extractor: Extractor,
    views: int = 1,
    seed: int = 0,
    dtype: str = 'float16',
    batch_size: int = 32,
    workers: int = 0,
) -> None:
    """Write the features of one split of a config's data and print a line about them.

    Args:
        cfg: Config of a model on images.
        split: ``'train'`` or ``'val'``.
        folder: Folder to write.
        extractor: Backbone of the config.
        views: Views of an image.
        seed: Seed of the views.
        dtype: Type of the stored values.
        batch_size: Images of a forward pass.
        workers: Loader processes.

    Raises:
        ValueError: The config has no such data, its dataset is none of mmmsf's, or its images
            have different sizes.
    """
    start = time.monotonic()
    loader = cfg.get(f'{split}_dataloader')
    if loader is None:
        raise ValueError(f'the config must have `{split}_dataloader`, got none')
    dataset = build_data(loader.dataset, f'{split}_dataloader.dataset')
    first = extractor.maps(default_collate([dataset[0]]))
    index = FeatureIndex(
        names=image_names(dataset),
        shapes=[],
        map_names=map_names(cfg.model.backbone),
        map_shapes=[tuple(x.shape[1:]) for x in first],
        views=views,
        source=source_of(cfg, split),
        weights=extractor.weights,
        file_sizes=file_sizes(dataset),
        digest='',
    )
    shapes: list[Sequence[Sequence[int]]] = []

    def records() -> Iterator[np.ndarray]:
        for batch in view_loader(dataset, views, seed, batch_size, workers):
            shapes.extend((x.ori_shape[:2], x.img_shape[:2]) for x in batch['data_samples'])
            flat = [x.flatten(1).float() for x in extractor.maps(batch)]
            yield torch.cat(flat, dim=1).cpu().numpy()  # (B, D)

    digest = write_records(folder, index.record_shape, records(), dtype)
    replace(index, shapes=shapes[::views], digest=digest).save(folder)
    print(
        f'{folder}: {len(dataset)} images, {views} views, maps {index.map_shapes}, '
        f'{time.monotonic() - start:.0f} s',
        flush=True,
    )
