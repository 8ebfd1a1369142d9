"""Boxes of a COCO-style set by image and class."""

from mmengine.fileio import join_path

from .coco import CocoMultiLabel, load_coco

Box = tuple[float, float, float, float]


def class_boxes(dataset: CocoMultiLabel) -> dict[str, dict[int, list[Box]]]:
    """Read the boxes that the labels came from; crowds included.

    Args:
        dataset: loaded.

    Returns:
        Image path -> class index -> boxes (x1, y1, x2, y2) in pixels, of those instances that
        have one.

    Raises:
        ValueError: no instance has a box.
    """
    coco = load_coco(dataset.ann_file)
    index_of = {key: dataset.metainfo['classes'].index(category['name'])
                for key, category in coco.cats.items()}
    found: dict[str, dict[int, list[Box]]] = {}
    for annotation in coco.anns.values():
        if 'bbox' not in annotation:
            continue
        x, y, width, height = annotation['bbox']
        path = join_path(dataset.img_prefix, coco.imgs[annotation['image_id']]['file_name'])
        boxes = found.setdefault(path, {}).setdefault(index_of[annotation['category_id']], [])
        boxes.append((x, y, x + width, y + height))
    if not found:
        raise ValueError(f'{dataset.ann_file}: no instance has a `bbox`')
    return found
