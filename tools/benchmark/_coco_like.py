"""A random instances file of the size and structure of COCO 2014's, for measurements."""

import json
from pathlib import Path

import numpy as np

IMAGE = (
    '{"license": 5, "file_name": "COCO_train2014_%012d.jpg", "coco_url": '
    '"http://images.cocodataset.org/train2014/COCO_train2014_%012d.jpg", "height": 480, '
    '"width": 640, "date_captured": "2013-11-14 16:28:13", "flickr_url": '
    '"http://farm4.staticflickr.com/3153/2970773875_164f0c0b83_z.jpg", "id": %d}'
)
INSTANCE = (
    '{"segmentation": %s, "area": %r, "iscrowd": %d, "image_id": %d, "bbox": %r, '
    '"category_id": %d, "id": %d}'
)
CROWD = '{"counts": [100, 20, 300, 40, 5], "size": [480, 640]}'
# Ids from 1 to 90 that are not categories of COCO 2014.
GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
OUTLINES = 4096  # distinct ones, drawn from again and again


def _outlines(rng: np.random.Generator) -> list[str]:
    """Draw polygons of 4 to 150 corners, most of about 20."""
    corners = np.clip(rng.lognormal(2.95, 0.75, OUTLINES), 4, 150).astype(int)
    return [f'[{rng.uniform(0, 640, 2 * count).round(2).tolist()}]' for count in corners]


def _images_and_classes(
    rng: np.random.Generator,
    images: int,
    instances: int,
    empty: int,
    classes: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw image and class index of each instance: few classes an image, some classes frequent."""
    labelled = rng.permutation(images)[empty:]
    crowding = rng.pareto(3, labelled.size) + 0.3
    more = rng.choice(labelled.size, instances - labelled.size, p=crowding / crowding.sum())
    owners = rng.permutation(np.concatenate([np.arange(labelled.size), more]))
    frequency = rng.pareto(1.2, classes) + 0.15
    variety = rng.poisson(2.1, labelled.size) + 1
    present = rng.choice(classes, (labelled.size, variety.max()), p=frequency / frequency.sum())
    return labelled[owners], present[owners, rng.integers(0, variety[owners])]


def write_coco_like(
    path: Path,
    images: int = 82_783,
    instances: int = 604_907,
    empty: int = 702,
    seed: int = 0,
) -> None:
    """Write ``path``; by default with the counts of COCO 2014 train and about as many bytes.

    Args:
        path: File to write.
        images: Number of images.
        instances: Number of instances, at least one for every labelled image.
        empty: Number of images without an instance.
        seed: Seed of all random numbers.
    """
    rng = np.random.default_rng(seed)
    categories = np.setdiff1d(np.arange(1, 91), GAPS)
    image_ids = rng.permutation(np.arange(1, 7 * images, 7))
    owners, classes = _images_and_classes(rng, images, instances, empty, len(categories))
    boxes = rng.uniform((0, 0, 2, 2), (300, 200, 340, 280), (instances, 4)).round(2)
    areas = (0.6 * boxes[:, 2] * boxes[:, 3]).round(4)
    crowds = rng.random(instances) < 0.01
    outlines = _outlines(rng)
    shapes = rng.integers(0, OUTLINES, instances)
    columns = (areas, crowds, image_ids[owners], boxes, categories[classes], shapes)
    with open(path, 'w', encoding='utf-8') as file:
        file.write('{"images": [' + ', '.join(IMAGE % (i, i, i) for i in image_ids.tolist()))
        file.write('], "annotations": [')
        for number, (area, crowd, image, box, category, shape) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        ):
            file.write(
                ', ' * bool(number)
                + INSTANCE
                % (CROWD if crowd else outlines[shape], area, crowd, image, box, category, number)
            )
        file.write(
            '], "categories": '
            + json.dumps([dict(id=key, name=f'category {key}') for key in categories.tolist()])
            + '}'
        )
