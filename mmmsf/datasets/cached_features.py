"""Cached feature maps of a dataset's images, in place of the images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmpretrain.datasets.transforms import PackInputs

from mmmsf.registry import DATASETS

from .base import MultiLabelData
from .readers.feature_store import FeatureStore


def image_names(dataset: MultiLabelData) -> list[str]:
    """List the path of each image relative to the dataset's image folder."""
    prefix = dataset.img_prefix
    paths = (dataset.get_data_info(i)['img_path'] for i in range(len(dataset)))
    return [str(path).removeprefix(prefix).lstrip('/\\') for path in paths]


def file_sizes(dataset: MultiLabelData) -> list[int | None]:
    """List the bytes of each image's file, None where there is no such file."""
    paths = (Path(dataset.get_data_info(i)['img_path']) for i in range(len(dataset)))
    return [path.stat().st_size if path.is_file() else None for path in paths]


@DATASETS.register_module()
class CachedFeatures:
    """Give features of a frozen backbone, computed once, with the labels of the wrapped dataset.

    ``tools/analysis/cache_features.py`` computes them, several views of an image where the
    pipeline augments. A sample has one view, drawn from NumPy's generator, which
    ``mmmsf.ResumableTrainLoop`` seeds for each sample. The model's backbone is
    ``mmmsf.FeatureInput``. In all other respects it behaves as the wrapped dataset.

    Args:
        dataset: The dataset of the images or its config, with ``PackInputs`` as the last step of
            its pipeline. Its images may be a part of those in ``features``.
        features: Folder of the features.
        maps: Names of the maps to read, in this order; all by default.
        digest: Digest that the features must have; None for any. It makes runs on features that
            were written again runs of another config.

    Raises:
        FileNotFoundError: There are no features in the folder.
        ValueError: The features are damaged, lack an image or a map, have another digest or are
            those of files of another size, or the pipeline ends otherwise.
    """

    def __init__(
        self,
        dataset: MultiLabelData | Mapping[str, Any],
        features: str,
        maps: Sequence[str] | None = None,
        digest: str | None = None,
    ) -> None:
        built = ROOT_DATASETS.build(dataset) if isinstance(dataset, Mapping) else dataset
        self.dataset: MultiLabelData = built
        self.dataset.full_init()
        *_, self.pack = self.dataset.pipeline.transforms or [None]
        if not isinstance(self.pack, PackInputs):
            raise ValueError(
                f"the last step of the dataset's pipeline must be PackInputs, got {self.pack}"
            )
        self.store = FeatureStore(features)
        self.rows = self.store.rows(image_names(self.dataset))
        self._check(digest)
        self.columns = self.store.columns(self.store.index.map_names if maps is None else maps)

    def _check(self, digest: str | None) -> None:
        index = self.store.index
        if digest is not None and digest != index.digest:
            raise ValueError(
                f'{self.store.folder}: the features must have the digest {digest}, got '
                f'{index.digest}; they were written again since the config was made'
            )
        for row, size in zip(self.rows, file_sizes(self.dataset), strict=True):
            if size is not None and size != index.file_sizes[row]:
                raise ValueError(
                    f'{self.store.folder}: the features of {index.names[row]} are those of a file '
                    f'of {index.file_sizes[row]} bytes, got one of {size} bytes; write the '
                    'features of this dataset'
                )

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset' or name.startswith('__'):  # while being unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return ``inputs``, a record (D,) of the chosen maps, and ``data_samples``."""
        row = self.rows[index]
        record = self.store.records[row, np.random.randint(self.store.index.views)]
        original, seen = map(tuple, self.store.index.shapes[row])
        info = dict(self.dataset.get_data_info(index), ori_shape=original, img_shape=seen)
        inputs = np.concatenate([record[place] for place in self.columns])
        return dict(self.pack.transform(info), inputs=torch.from_numpy(inputs))
