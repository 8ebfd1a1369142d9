"""Classifier of exported models, without torch.

This file needs numpy, onnxruntime, opencv-python(-headless) and Pillow, and no other file of this
package: copy it beside the .onnx file and use it alone::

    from onnx_classifier import OnnxClassifier
    classifier = OnnxClassifier('model.onnx')
    classifier('photo.jpg')  # {'labels': ['person', 'dog'], 'scores': [0.98, 0.71], ...}
    for result in classifier.predict_many(paths):  # in threads, in order
        print(result)

Images are decoded by OpenCV and resized as in training and testing, by OpenCV or Pillow; other
libraries decode and round some pixels differently, which changes the scores.
"""

import io
import json
import os
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from PIL import Image

META_KEY = 'mmmsf'
FORMATS_READ = (1, 2)  # 2 has exclusive groups
MAX_PIXELS = 178_956_970
# Formats of both Pillow and OpenCV. Pillow reads more, and runs a PostScript interpreter for one.
FORMATS = (
    'AVIF',
    'BMP',
    'DIB',
    'GIF',
    'JPEG',
    'JPEG2000',
    'MPO',
    'PNG',
    'PPM',
    'SUN',
    'TIFF',
    'WEBP',
)
_END_MARKERS = {'JPEG': b'\xff\xd9', 'MPO': b'\xff\xd9', 'PNG': b'IEND'}
_TAIL_BYTES = 64
_INTERPOLATIONS = {
    'nearest': cv2.INTER_NEAREST,
    'bilinear': cv2.INTER_LINEAR,
    'bicubic': cv2.INTER_CUBIC,
    'area': cv2.INTER_AREA,
    'lanczos': cv2.INTER_LANCZOS4,
}


def _check_file(content: bytes, name: str, max_pixels: int) -> None:
    """Raise ValueError for files that OpenCV decodes only in part or that are too large."""
    Image.init()
    formats = [one for one in FORMATS if one in Image.OPEN]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=formats) as image:
                if image.width * image.height > max_pixels:
                    raise ValueError(
                        f'{image.width} x {image.height} is more than max_pixels={max_pixels}'
                    )
                marker = _END_MARKERS.get(str(image.format))
                if marker is None or marker not in content[-_TAIL_BYTES:]:
                    image.load()  # strict, unlike OpenCV
    except Exception as error:  # Pillow's plugins raise many types
        raise ValueError(f'{name}: no whole image, or too large: {error}') from error


def decode(
    content: bytes,
    name: str = 'the image',
    max_pixels: int = MAX_PIXELS,
    ignore_orientation: bool = False,
) -> np.ndarray:
    """Decode an encoded image as the package decodes its training images.

    Grey and palette images are expanded, CMYK is converted, 16 bits are scaled to 8, alpha is
    dropped and the EXIF orientation applied unless ``ignore_orientation``.

    Args:
        content: Bytes of the file.
        name: Name of the image in an error.
        max_pixels: Limit of the pixels, checked in the header before decoding.
        ignore_orientation: Keep the pixels as they are stored.

    Returns:
        uint8 (H, W, 3), BGR.

    Raises:
        ValueError: ``content`` is no complete image; the message starts with ``name``.
    """
    _check_file(content, name, max_pixels)
    try:
        flags = cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if ignore_orientation else 0)
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        raise ValueError(f'{name}: cannot be decoded: {error}') from error
    if image is None:
        raise ValueError(f'{name}: cannot be decoded; save it as 8-bit JPEG or PNG')
    return image


def resize_image(
    image: np.ndarray, width: int, height: int, interpolation: str, backend: str = 'cv2'
) -> np.ndarray:
    """Resize uint8 (H, W, 3) by OpenCV, or with ``backend='pillow'`` by Pillow's antialiasing."""
    if backend == 'pillow':
        resample = Image.Resampling[interpolation.upper()]
        return np.array(Image.fromarray(image).resize((width, height), resample))
    return cv2.resize(image, (width, height), interpolation=_INTERPOLATIONS[interpolation])


ImageSource = str | os.PathLike | np.ndarray


class OnnxClassifier:
    """Run a model of ``tools/deployment/export_onnx.py`` with its classes and thresholds.

    Args:
        path: ONNX file.
        threads: CPU threads of one prediction; by default all cores.
        max_pixels: Limit of an image file's pixels, checked in the header before decoding.

    Attributes:
        classes: K names.
        thresholds: (K,) float32; a score of at least its threshold is a positive decision. May be
            assigned.
        calibrated: True where the graph calibrates its scores.
        meta: Metadata of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no ONNX model, or not one of this version of the package.
    """

    def __init__(
        self, path: str | os.PathLike, threads: int | None = None, max_pixels: int = MAX_PIXELS
    ) -> None:
        if not os.path.isfile(path):
            raise FileNotFoundError(f'there is no model {path}')
        self.max_pixels = max_pixels
        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self.session = onnxruntime.InferenceSession(
                os.fspath(path), options, providers=['CPUExecutionProvider']
            )
        except Exception as error:  # onnxruntime has a type for each way to fail
            raise ValueError(f'{path} is not an ONNX model: {error}') from error
        stored = self.session.get_modelmeta().custom_metadata_map.get(META_KEY)
        if stored is None:
            raise ValueError(
                f'{path} has no metadata of this package; export it with '
                'tools/deployment/export_onnx.py'
            )
        self.meta: dict[str, Any] = json.loads(stored)
        if self.meta['format'] not in FORMATS_READ:
            raise ValueError(
                f'{path} must have one of the formats {FORMATS_READ}, got {self.meta["format"]}; '
                'use onnx_classifier.py of the package that exported it'
            )
        self.classes: list[str] = self.meta['classes']
        self.thresholds = np.array(self.meta['thresholds'], np.float32)
        place = {name: k for k, name in enumerate(self.classes)}
        self._groups = [
            (group['name'], [place[name] for name in group['classes']], group['rule'])
            for group in self.meta.get('groups', ())
        ]
        self.calibrated: bool = self.meta.get('folded', {}).get('calibration', False)

    def prepare(self, image: ImageSource) -> np.ndarray:
        """Read and resize one image.

        Args:
            image: Path, or uint8 array (H, W, 3) in BGR order as ``cv2.imread`` returns.

        Returns:
            float32 (1, 3, H, W), RGB, 0 to 255.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is no complete image, the array has another shape or type, or its size
                is not that of the model and the test pipeline does not resize.
        """
        if not isinstance(image, np.ndarray):
            image = decode(
                Path(image).read_bytes(),
                os.fspath(image),
                self.max_pixels,
                self.meta.get('ignore_orientation', False),
            )
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(
                'an image array must be uint8 of shape (H, W, 3) in BGR order, got '
                f'{image.dtype} of shape {image.shape}'
            )
        resize = self.meta['resize']
        if resize is not None:
            image = resize_image(image, **resize)
        size = self.meta['size']
        if size is not None and list(image.shape[:2]) != size:
            raise ValueError(
                f'the image must have {size[0]} x {size[1]} px (height x width), since the test '
                f'pipeline of the model does not resize; got {image.shape[0]} x {image.shape[1]}'
            )
        return np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)[None], np.float32)

    def __call__(self, image: ImageSource) -> dict[str, Any]:
        """Predict one image; its forms and the errors are those of :meth:`prepare`.

        Returns:
            ``labels``: names whose score is at least their threshold, highest score first;
            ``scores``: scores of the labels; ``all_scores``: float32 (K,); ``calibrated``: True,
            only where the scores are. Of a model with exclusive groups the labels keep their
            rules, and ``groups`` has for each group's name ``label`` (None for none of its
            classes) and ``score``.
        """
        scores = self.session.run(None, {'images': self.prepare(image)})[0][0]
        chosen = scores >= self.thresholds
        groups = {}
        for name, columns, rule in self._groups:
            top = columns[int(scores[columns].argmax())]
            holds = rule == 'one' or bool(chosen[top])
            chosen[columns] = False
            chosen[top] = holds
            rest = max(1 - float(scores[columns].sum(dtype=np.float64)), 0.0)
            groups[name] = dict(
                label=self.classes[top] if holds else None,
                score=float(scores[top]) if holds else rest,
            )
        order = [k for k in np.argsort(-scores, kind='stable') if chosen[k]]
        result = dict(
            labels=[self.classes[k] for k in order],
            scores=[float(scores[k]) for k in order],
            all_scores=scores,
            **(dict(calibrated=True) if self.calibrated else {}),
        )
        return dict(result, groups=groups) if groups else result

    def predict_many(
        self, images: Iterable[ImageSource], workers: int = 2, ahead: int = 16
    ) -> Iterator[dict[str, Any]]:
        """Predict images in threads, so that one is decoded while the network runs on another.

        For the most images per second take a classifier with ``threads=1`` and a worker a core:
        the threads of one prediction wait for each other, those of two predictions do not.

        Args:
            images: Images as :meth:`prepare` takes them.
            workers: Number of threads that read and predict images.
            ahead: Number of images in work or done ahead of the caller, which bounds the memory.

        Yields:
            The result of each image, in order, as :meth:`__call__` returns it; for an image that
            cannot be used ``{'error': message}``.

        Raises:
            ValueError: ``workers`` or ``ahead`` is below 1.
        """
        for name, value in (('workers', workers), ('ahead', ahead)):
            if value < 1:
                raise ValueError(f'`{name}` must be at least 1, got {value}')
        waiting: deque[Future[dict[str, Any]]] = deque()
        pool = ThreadPoolExecutor(workers)
        try:
            for image in images:
                waiting.append(pool.submit(self._result_or_error, image))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _result_or_error(self, image: ImageSource) -> dict[str, Any]:
        try:
            return self(image)
        except (OSError, ValueError) as error:
            return dict(error=str(error))
