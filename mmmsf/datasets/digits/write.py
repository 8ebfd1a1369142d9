"""Atomic writing of a scaled-digits set to disk."""

import json
import os
import shutil
import sys
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.logging import print_log
from mmengine.utils import ProgressBar

from .render import PlacedDigit, render_image
from .spec import GENERATOR_VERSION, SPLITS, DigitSpec

BAR_STEP = 250  # images between two updates of the progress bar
TRAIN_SHARE = 0.8  # share of the handwritten digits of each class


def split_samples(targets: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Divide the handwritten digits between the splits, class by class.

    Args:
        targets: Class of each sample, shape (N,).
        seed: Seed of the shuffle.

    Returns:
        Sorted sample numbers of each split; disjoint, ``TRAIN_SHARE`` of each class in train.
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
    for target in np.unique(targets):
        samples = rng.permutation(np.flatnonzero(targets == target))
        cut = round(TRAIN_SHARE * len(samples))
        parts['train'].append(samples[:cut])
        parts['val'].append(samples[cut:])
    return {split: np.sort(np.concatenate(arrays)) for split, arrays in parts.items()}


def coco_records(
    image_id: int,
    digits: list[PlacedDigit],
    targets: np.ndarray,
    first_id: int,
) -> list[dict[str, Any]]:
    """Make the COCO annotations of one image.

    ``area`` is width x height of the tight box in square pixels, so that it grows with the size
    of the digit and not with the weight of the pen. ``digit_index`` is the scikit-learn sample.
    """
    return [
        dict(
            id=first_id + number,
            image_id=image_id,
            category_id=int(targets[digit.index]) + 1,
            bbox=list(digit.box),
            area=digit.box[2] * digit.box[3],
            iscrowd=0,
            digit_index=digit.index,
        )
        for number, digit in enumerate(digits)
    ]


def annotation_file(folder: Path, split: str) -> Path:
    """Return the path of a split's instances file in the folder of a set."""
    return folder / 'annotations' / f'instances_{split}.json'


def write_annotations(path: Path, spec: DigitSpec, images: list[dict], annotations: list) -> None:
    """Write the COCO instances file of one split and flush it to disk.

    Raises:
        OSError: The file cannot be written.
    """
    content = dict(
        info=dict(description='scaled digits', generator_version=GENERATOR_VERSION, **asdict(spec)),
        licenses=[],
        images=images,
        annotations=annotations,
        categories=[
            dict(id=digit + 1, name=str(digit), supercategory='digit') for digit in range(10)
        ],
    )
    path.parent.mkdir(exist_ok=True)
    with path.open('w', encoding='utf-8') as stream:
        json.dump(content, stream)
        stream.flush()
        os.fsync(stream.fileno())


def write_split(folder: Path, spec: DigitSpec, split: str, bar: ProgressBar) -> None:
    """Render one split: ``<folder>/<split>/*.png`` and its instances file.

    Raises:
        OSError: An image or the file cannot be written.
    """
    from sklearn.datasets import load_digits  # slow to import, and needed once

    source = load_digits()
    pool = split_samples(source.target, spec.seed)[split]
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    (folder / split).mkdir(parents=True)
    for image_id in range(1, getattr(spec, split) + 1):
        rng = np.random.default_rng([spec.seed, SPLITS.index(split), image_id])
        pixels, digits = render_image(rng, source.images, pool, spec)
        name = f'{image_id:06d}.png'
        encoded = cv2.imencode('.png', pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        (folder / split / name).write_bytes(encoded.tobytes())
        images.append(
            dict(id=image_id, file_name=name, width=spec.image_size, height=spec.image_size)
        )
        annotations += coco_records(image_id, digits, source.target, len(annotations) + 1)
        if image_id % BAR_STEP == 0:
            bar.update(BAR_STEP)
    if len(images) % BAR_STEP:
        bar.update(len(images) % BAR_STEP)
    write_annotations(annotation_file(folder, split), spec, images, annotations)


def is_complete(folder: Path) -> bool:
    """Return True if ``folder`` is a complete set."""
    return all(annotation_file(folder, split).is_file() for split in SPLITS)


def write_digits(data_root: str | os.PathLike, spec: DigitSpec) -> Path:
    """Write the set of ``spec`` under ``data_root`` unless it exists.

    It is written to a hidden sibling folder and renamed when complete, so that a killed run
    leaves nothing that could pass for data. When another process finishes first, its set is used;
    both are equal.

    Returns:
        The folder of the set.

    Raises:
        OSError: The set cannot be written.
        ValueError: A folder of this name exists but is incomplete.
    """
    folder = Path(data_root) / spec.folder
    if is_complete(folder):
        return folder
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(
            f'{folder} exists but lacks annotation files; delete it, then it is written again'
        )
    print_log(
        f'writing {spec.train + spec.val} images of scaled digits to {folder}', logger='current'
    )
    partial = folder.with_name(f'.{folder.name}.partial-{uuid.uuid4().hex}')
    try:
        partial.mkdir(parents=True)
        bar = ProgressBar(spec.train + spec.val, file=sys.stderr)
        for split in SPLITS:
            write_split(partial, spec, split, bar)
        sys.stderr.write('\n')
        _publish(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # gone after the rename
    return folder


def _publish(partial: Path, folder: Path) -> None:
    """Rename ``partial`` to ``folder``, unless another process was faster."""
    try:
        os.rename(partial, folder)
    except OSError:
        if not is_complete(folder):
            raise
    if os.name == 'posix':  # flush the rename itself
        handle = os.open(folder.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
