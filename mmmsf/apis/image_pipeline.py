"""Test pipeline of a model, applied to files and to images in memory."""

from collections.abc import Sequence
from typing import Any

from mmengine.dataset import Compose
from mmengine.fileio import get as read_bytes
from mmengine.registry import DefaultScope
from mmpretrain.registry import TRANSFORMS

from mmmsf.datasets.transforms import LoadImage
from mmmsf.datasets.transforms.loading import MAX_PIXELS, check_content

from .inputs import ImageInput, to_bgr

LOADERS = ('LoadImage', 'LoadImageFromFile')


class ImagePipeline:
    """Read images and prepare them for the network.

    Args:
        steps: Configs of the test pipeline's transforms.
        scope: Default scope of the config.
        max_pixels: Limit of an image's pixels, checked before the image is decoded. By default the
            limit of ``LoadImage`` in the pipeline, without one 178,956,970.

    Raises:
        ValueError: `max_pixels` is below 1, or no step reads an image.
    """

    def __init__(
        self, steps: Sequence[dict[str, Any]], scope: str, max_pixels: int | None = None
    ) -> None:
        if max_pixels is not None and max_pixels < 1:
            raise ValueError(f'`max_pixels` must be at least 1, got {max_pixels}')
        names = [str(step['type']).split('.')[-1] for step in steps]
        number = next((i + 1 for i, name in enumerate(names) if name in LOADERS), 0)
        if not number:
            raise ValueError(f'the test pipeline must read an image by one of {LOADERS}')
        with DefaultScope.overwrite_default_scope(scope):
            built = [TRANSFORMS.build(step) for step in steps]
        self._loader, self._prepare = Compose(built[:number]), Compose(built[number:])
        reader = built[number - 1]
        self._checks_content = isinstance(reader, LoadImage)
        if self._checks_content and max_pixels is not None:
            reader.max_pixels = max_pixels
        self.max_pixels: int = (
            reader.max_pixels if self._checks_content else max_pixels or MAX_PIXELS
        )

    def read(self, image: ImageInput) -> dict[str, Any]:
        """Read one image.

        Returns:
            ``img`` uint8 (H, W, 3) BGR, ``img_shape`` and ``ori_shape``.

        Raises:
            OSError: The file cannot be read.
            ValueError: The image is corrupt, too large or of another kind.
        """
        if isinstance(image, str):
            if not self._checks_content:  # MMCV's own loader has no limit
                check_content(read_bytes(image), image, self.max_pixels)
            data = self._loader(dict(img_path=image))
            if data is None:
                raise ValueError(f'{image}: cannot be read as an image')
            return data
        array = to_bgr(image, self.max_pixels)
        return dict(img=array, img_shape=array.shape[:2], ori_shape=array.shape[:2])

    def __call__(self, image: ImageInput) -> dict[str, Any]:
        """Read and prepare one image.

        Returns:
            ``inputs`` (3, h, w) and ``data_samples``.
        """
        return self._prepare(self.read(image))
