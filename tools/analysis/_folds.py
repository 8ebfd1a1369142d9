"""Folds of a config's training images, and the config of the run without each."""

import csv
import io
from pathlib import Path

import numpy as np
from _features import build_data, use_features
from _grid import Row
from mmengine.config import Config
from numpy.typing import NDArray

from mmmsf.datasets.base import MultiLabelData
from mmmsf.datasets.cached_features import image_names
from mmmsf.datasets.stratification import stratified_folds
from mmmsf.utils.atomic_file import write_atomically

HELD = 'held'  # folder of the features of the training images as validation would see them


def hold_out(cfg: Config) -> Config:
    """Return a config that validates and tests the training images, through its val pipeline.

    Raises:
        ValueError: The config has no training or no validation data.
    """
    for split in ('train', 'val'):
        if cfg.get(f'{split}_dataloader') is None:
            raise ValueError(f'the config must have a `{split}_dataloader`, got none')
    result = Config(cfg.to_dict())
    dataset = Config(cfg.to_dict()).train_dataloader.dataset
    dataset.update(pipeline=cfg.val_dataloader.dataset.pipeline, test_mode=True)
    result.val_dataloader.dataset = dataset
    result.test_dataloader = result.val_dataloader
    result.test_evaluator, result.test_cfg = result.val_evaluator, result.get('test_cfg') or dict()
    return result


def read_training_data(cfg: Config) -> MultiLabelData:
    """Read the labels of the training images of a config.

    Raises:
        ValueError: The dataset is none of mmmsf's, or a part of one by ``indices``.
    """
    dataset = hold_out(cfg).val_dataloader.dataset
    if dataset.get('indices') is not None:
        raise ValueError(
            'the training data must be whole, got `train_dataloader.dataset.indices`; write the '
            'part into an annotation file of its own'
        )
    dataset.update(pipeline=[])
    dataset.pop('image_cache', None)
    return build_data(dataset, 'train_dataloader.dataset')


def make_folds(dataset: MultiLabelData, num_folds: int, seed: int, path: Path) -> NDArray[np.int64]:
    """Divide the images of a dataset into stratified folds, or read those of an earlier call.

    Args:
        dataset: Images with their labels.
        num_folds: Number of folds.
        seed: Seed of the division.
        path: CSV of images and folds to write or read.

    Returns:
        Fold of each image, (N,).

    Raises:
        ValueError: ``num_folds`` is out of range, or ``path`` has other images or folds.
    """
    labels = [dataset.get_cat_ids(i) for i in range(len(dataset))]
    folds = stratified_folds(labels, num_folds, seed)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(['image', 'fold'])
    writer.writerows(zip(image_names(dataset), folds, strict=True))
    if not path.exists():
        write_atomically(path, text.getvalue().encode())
    elif path.read_bytes() != text.getvalue().encode():
        raise ValueError(
            f'{path} has the folds of other images, labels, --folds or --seed; name another '
            '--work-dir or remove it'
        )
    return np.array(folds)


def fold_rows(cfg: Config, folds: NDArray[np.int64], root: Path, features: str | None) -> list[Row]:
    """Make the config of each fold: trained on the others, validated and tested on its own.

    Args:
        cfg: Config of a training on all images.
        folds: Fold of each training image.
        root: Folder for the files of indices.
        features: Folder of cached features with ``train`` and ``held`` in it, if any.
    """
    rows = []
    for k in range(int(folds.max()) + 1):
        one = hold_out(cfg)
        for name, split, chosen in (('train', 'train', folds != k), (HELD, 'val', folds == k)):
            path = root / f'fold{k}_{name}.txt'
            write_atomically(path, '\n'.join(map(str, np.flatnonzero(chosen))).encode())
            one[f'{split}_dataloader'].dataset.indices = str(path.resolve())
        one.test_dataloader = one.val_dataloader
        on_images = one
        if features is not None:
            one = use_features(one, features, val=HELD)
        rows.append(Row(f'fold{k}', one, images=on_images))
    return rows
