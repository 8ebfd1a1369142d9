"""Predict the labels of any images with a trained model."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, default_collate
from mmengine.fileio import get as read_bytes
from mmengine.registry import DefaultScope
from mmpretrain.apis.base import BaseInferencer
from mmpretrain.registry import TRANSFORMS
from mmpretrain.structures import DataSample
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from mmmsf.checkpoint.loading import LoadedModel
from mmmsf.datasets.transforms import LoadImage
from mmmsf.datasets.transforms.loading import MAX_PIXELS, check_content
from mmmsf.models.heads.attention_maps import check_attention_maps
from mmmsf.visualization.attention_geometry import visible_region

from .inputs import ImageInput, expand_inputs, to_bgr
from .resolve import resolve_model
from .results import ResultOptions, choose_labels, draw_result, make_result, picture_name

LOADERS = ('LoadImage', 'LoadImageFromFile')
Thresholds = float | Sequence[float] | Mapping[str, float] | None
# An image's prediction and, where wanted, its attention at each scale; or why there is none
Found = tuple[DataSample, list[Tensor] | None] | Exception


def merge_thresholds(found: LoadedModel, wanted: Thresholds) -> NDArray[np.float32]:
    """(K,) thresholds: the model's, with what the caller wants in their place.

    Raises:
        ValueError: an unknown class, another number than K, or a value that is not finite.
    """
    values = found.thresholds.copy()
    rule = f'`thresholds` must be one number, {len(values)} numbers or a dict from class names'
    try:
        numbers = np.asarray(
            list(wanted.values()) if isinstance(wanted, Mapping) else wanted, np.float32
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f'{rule}, got {wanted!r:.200}') from error
    if isinstance(wanted, Mapping):
        unknown = sorted(set(wanted) - set(found.classes))
        if unknown:
            raise ValueError(f'`thresholds` names classes that the model lacks: {unknown}')
        if numbers.ndim != 1:
            raise ValueError(f'{rule}, got {wanted!r:.200}')
        values[[found.classes.index(name) for name in wanted]] = numbers
    elif wanted is not None:
        if numbers.shape not in ((), values.shape):
            raise ValueError(f'{rule}, got shape {numbers.shape}')
        values[:] = numbers
    if not np.isfinite(values).all():
        raise ValueError('`thresholds` must be finite numbers')
    return values


class MultiLabelInferencer(BaseInferencer):
    """Predict labels for files, folders, arrays and PIL images.

    Files are read and prepared by the test pipeline of the model's config, so the scores are those
    of ``tools/test.py``. A checkpoint of this package is all that is needed::

        inferencer = MultiLabelInferencer(pretrained='work_dirs/run/epoch_10.pth')
        inferencer('photos/')[0]['labels']

    Args:
        model: a config (path or ``Config``), a checkpoint, a :class:`LoadedModel`, a model that
            MMPretrain's ``get_model`` built, or a name of its ``list_models``. None: the config
            that the checkpoint carries.
        pretrained: path of a checkpoint.
        device: by default the GPU where there is one; a built model stays where it is.
        thresholds: one number, K numbers, or a dict from class names, in place of those that the
            checkpoint or the head holds.
        max_pixels: an image with more pixels is refused by its header, before anything of its size
            is allocated. By default what ``LoadImage`` in the test pipeline says, without one
            178,956,970.

    Raises:
        FileNotFoundError: config or checkpoint does not exist.
        ValueError: model and checkpoint do not fit, or there are no weights to load.
    """

    def __init__(
        self,
        model: str | Path | Config | LoadedModel | nn.Module | None = None,
        pretrained: str | Path | None = None,
        device: str | torch.device | None = None,
        thresholds: Thresholds = None,
        max_pixels: int | None = None,
    ) -> None:
        if max_pixels is not None and max_pixels < 1:
            raise ValueError(f'`max_pixels` must be at least 1, got {max_pixels}')
        self.loaded = resolve_model(model, pretrained, device)
        self.model = self.loaded.model
        self.config = self.loaded.cfg
        self.classes = self.loaded.classes
        self.thresholds = merge_thresholds(self.loaded, thresholds)
        self.visualizer = None
        self.loader, self.pipeline = self._init_pipeline(self.config)
        self.guarded = isinstance(self.loader.transforms[-1], LoadImage)
        if self.guarded and max_pixels is not None:
            self.loader.transforms[-1].max_pixels = max_pixels
        self.max_pixels = (
            self.loader.transforms[-1].max_pixels if self.guarded else max_pixels or MAX_PIXELS
        )

    def _init_pipeline(self, cfg: Config) -> tuple[Compose, Compose]:
        """The test pipeline in two parts: reading a file, and what follows it."""
        steps = self.loaded.pipeline
        names = [str(step['type']).split('.')[-1] for step in steps]
        number = next((i + 1 for i, name in enumerate(names) if name in LOADERS), 0)
        if not number:
            raise ValueError(f'the test pipeline reads no image: it has none of {LOADERS}')
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmpretrain'):
            built = [TRANSFORMS.build(step) for step in steps]
        return Compose(built[:number]), Compose(built[number:])

    def __call__(
        self,
        inputs: Any,
        return_datasamples: bool = False,
        batch_size: int = 1,
        show_progress: bool = True,
        **kwargs: Any,
    ) -> list:
        """Predict all images.

        Args:
            inputs: path, folder (searched recursively, sorted), glob pattern, uint8 array (H, W, 3)
                in BGR order as MMCV reads it, PIL image, or a list of these.
            return_datasamples: give data samples in place of dicts.
            batch_size: images that go through the network at once.
            show_progress: draw a progress bar on stderr.
            **kwargs: fields of :class:`mmmsf.apis.results.ResultOptions`: ``return_scores``,
                ``return_boxes``, ``return_attention``, ``show_dir``, ``on_error``, ``topk`` ...

        Returns:
            For each image, in order, a dict with ``path`` (None for an image in memory),
            ``labels`` (names whose score is at least their class's threshold, highest first),
            ``scores`` and ``indices`` of these, and what the options add.

        Raises:
            ValueError: an image cannot be used and ``on_error`` is ``'raise'``; the model has no
                attention to give; an argument is wrong.
        """
        options = ResultOptions(return_datasamples=return_datasamples, **kwargs)
        return list(self.stream(inputs, options, batch_size, show_progress))

    def stream(
        self,
        inputs: Any,
        options: ResultOptions | None = None,
        batch_size: int = 1,
        show_progress: bool = False,
    ) -> Iterator[Any]:
        """As calling the inferencer, but give each result out as soon as it is there."""
        options = options or ResultOptions()
        if batch_size < 1:
            raise ValueError(f'`batch_size` must be at least 1, got {batch_size}')
        if options.wants_attention:
            check_attention_maps(self.model)
        images = expand_inputs(inputs)
        with_bar = track(
            range(0, len(images), batch_size),
            'predict',
            console=Console(stderr=True),
            disable=not show_progress,
        )
        for start in with_bar:
            chunk = images[start : start + batch_size]
            found = self._predict(chunk, options)
            for number, image in enumerate(chunk, start=start):
                # Taken out of the list, so that a caller who keeps nothing holds one image
                yield self._finish(number, image, found[number - start], options)

    def _finish(self, number: int, image: ImageInput, found: Found, options: ResultOptions) -> Any:
        path = image if isinstance(image, str) else None
        if isinstance(found, Exception):
            return dict(path=path, error=str(found))
        sample, maps = found
        labels = choose_labels(sample.pred_score, self.thresholds, options.topk)
        result = make_result(path, sample, labels, maps, self.classes, options)
        if options.show_dir is not None:
            Path(options.show_dir).mkdir(parents=True, exist_ok=True)
            picture = draw_result(self.read(image)['img'], result, maps, visible_region(sample))
            picture.save(Path(options.show_dir) / picture_name(number, path))
        return sample.set_pred_label(labels) if options.return_datasamples else result

    def read(self, image: ImageInput) -> dict[str, Any]:
        """Read one image: ``img`` uint8 (H, W, 3) BGR, ``img_shape`` and ``ori_shape``.

        Raises:
            ValueError: the image cannot be used.
        """
        if isinstance(image, str):
            if not self.guarded:  # MMCV's own loader decodes whatever comes
                check_content(read_bytes(image), image, self.max_pixels)
            data = self.loader(dict(img_path=image))
            if data is None:
                raise ValueError(f'{image}: cannot be read as an image')
            return data
        array = to_bgr(image, self.max_pixels)
        return dict(img=array, img_shape=array.shape[:2], ori_shape=array.shape[:2])

    def _predict(self, images: Sequence[ImageInput], options: ResultOptions) -> list[Found]:
        """Predict a batch; images of unlike size go through the network by themselves."""
        found: dict[int, Found] = {}
        groups: dict[tuple[int, ...], list[tuple[int, dict]]] = defaultdict(list)
        for index, image in enumerate(images):
            try:
                packed = self.pipeline(self.read(image))
            except (ValueError, OSError) as error:
                if options.on_error == 'raise':
                    raise
                found[index] = error
            else:
                groups[tuple(packed['inputs'].shape)].append((index, packed))
        for group in groups.values():
            indices = [index for index, _ in group]
            try:
                results: Sequence[Found] = self.forward(
                    default_collate([packed for _, packed in group]),
                    options.attention_layer if options.wants_attention else None,
                )
            except ValueError as error:  # too small for the network; the same for all of the group
                if options.on_error == 'raise':
                    raise
                results = [error] * len(indices)
            found.update(zip(indices, results, strict=True))
        return [found[index] for index in range(len(images))]

    @torch.no_grad()
    def forward(
        self, inputs: dict, layer: int | None = None
    ) -> list[tuple[DataSample, list[Tensor] | None]]:
        """Run the network.

        Args:
            inputs: a collated batch of the pipeline.
            layer: also give the attention of this decoder layer.

        Returns:
            For each image its prediction and, for each scale, (K, h_i, w_i) or None; on the CPU.
        """
        if layer is None:
            return [(sample.cpu(), None) for sample in self.model.test_step(inputs)]
        data = self.model.data_preprocessor(inputs, False)
        feats = self.model.extract_feat(data['inputs'])
        samples = self.model.head.predict(feats, data['data_samples'])
        maps = [x.float().cpu() for x in self.model.head.attention_maps(feats, layer)]
        return [(sample.cpu(), [x[b] for x in maps]) for b, sample in enumerate(samples)]
