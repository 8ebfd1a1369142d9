"""Inferencer for multi-label models."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmpretrain.apis.base import BaseInferencer
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from mmmsf.checkpoint.loading import LoadedModel
from mmmsf.engine.fast_forward import FastForward, FastOptions
from mmmsf.models.heads.attention_maps import check_class_maps
from mmmsf.utils.groups import group_results
from mmmsf.visualization.attention_geometry import visible_region

from .image_pipeline import ImagePipeline
from .inputs import ImageInput, expand_inputs
from .resolve import resolve_model
from .results import ResultOptions, choose_labels, decide, draw_result, make_result, picture_name
from .thresholds import Thresholds, merge_thresholds

# The prediction of an image and, where needed, its maps at each scale; or the error
Found = tuple[DataSample, list[Tensor] | None] | Exception


class MultiLabelInferencer(BaseInferencer):
    """Predict labels for files, folders, arrays and PIL images.

    Files are read and prepared by the test pipeline of the model's config, so the scores equal
    those of ``tools/test.py``. A checkpoint of this package contains all that is needed::

        inferencer = MultiLabelInferencer(pretrained='work_dirs/run/epoch_10.pth')
        inferencer('photos/')[0]['labels']

    Args:
        model: Config (path or ``Config``), checkpoint, :class:`LoadedModel`, model of MMPretrain's
            ``get_model``, or name of its ``list_models``. None: the config in the checkpoint.
        pretrained: Path of a checkpoint.
        device: By default the GPU where there is one; a built model keeps its device.
        thresholds: One number, K numbers, or a dict from class names, which replace the thresholds
            of the checkpoint or the head. They are compared with the scores of the result, so with
            calibrated scores where these are.
        max_pixels: Limit of an image's pixels; the header of a larger image is rejected before
            memory of its size is allocated. By default the limit of ``LoadImage`` in the test
            pipeline, without one 178,956,970.
        fast: Preparations of the network, by default folded batch norms and channels_last. They are
            made on a copy at the first prediction; ``loaded.model`` stays as it is.
        calibrated: True for calibrated scores, False for those that the network was trained to
            give; by default calibrated where the checkpoint carries a calibration
            (``tools/analysis/calibrate.py``).

    Raises:
        FileNotFoundError: Config or checkpoint does not exist.
        ValueError: Model and checkpoint do not fit, there are no weights to load, no calibration
            where one is required, or the head breaks the contract in
            `mmmsf.models.heads.contract`.
    """

    def __init__(
        self,
        model: str | Path | Config | LoadedModel | nn.Module | None = None,
        pretrained: str | Path | None = None,
        device: str | torch.device | None = None,
        thresholds: Thresholds = None,
        max_pixels: int | None = None,
        fast: FastOptions | None = None,
        calibrated: bool | None = None,
    ) -> None:
        self.loaded = resolve_model(model, pretrained, device, calibrated)
        self._fast = FastForward(self.loaded.model, fast or FastOptions())
        self.config = self.loaded.cfg
        self.classes = self.loaded.classes
        self.thresholds = merge_thresholds(self.loaded, thresholds)
        self.visualizer = None
        scope = self.config.get('default_scope') or 'mmpretrain'
        self.pipeline = ImagePipeline(self.loaded.pipeline, scope, max_pixels)

    @property
    def model(self) -> ImageClassifier:
        """Network that predicts: the prepared copy from the first prediction on."""
        return self._fast.module

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
            inputs: Path, folder (searched recursively, sorted), glob pattern, uint8 array (H, W, 3)
                in BGR order as MMCV reads it, PIL image, or a list of these.
            return_datasamples: Return data samples instead of dicts.
            batch_size: Images in one forward pass.
            show_progress: Draw a progress bar on stderr.
            **kwargs: Fields of :class:`mmmsf.apis.results.ResultOptions`: ``return_scores``,
                ``return_boxes``, ``return_attention``, ``show_dir``, ``on_error``, ``topk`` ...

        Returns:
            For each image, in order, a dict with ``path`` (None for an image in memory),
            ``labels`` (names whose score is at least their class's threshold, highest first),
            ``scores`` and ``indices`` of these, ``calibrated`` (True) where the scores are, and
            the entries that the options add. Of a model with exclusive groups the labels keep
            their rules, and ``groups`` has for each group's name ``label`` (None for none of its
            classes) and ``score``.

        Raises:
            ValueError: An image cannot be used and ``on_error`` is ``'raise'``, the model has no
                attention, or an argument is outside its range.
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
        """Predict as :meth:`__call__`, but yield each result when its batch is done."""
        options = options or ResultOptions()
        if batch_size < 1:
            raise ValueError(f'`batch_size` must be at least 1, got {batch_size}')
        if options.wants_attention:
            check_class_maps(self.model)
        images = expand_inputs(inputs)
        self._fast.batch_size = batch_size
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
                yield self._finish(number, image, found[number - start], options)

    def _finish(self, number: int, image: ImageInput, found: Found, options: ResultOptions) -> Any:
        path = image if isinstance(image, str) else None
        if isinstance(found, Exception):
            return dict(path=path, error=str(found))
        sample, maps = found
        scores, groups = sample.pred_score, self.loaded.groups
        labels = choose_labels(scores, self.thresholds, options.topk, groups)
        result = make_result(path, sample, labels, maps, self.classes, options)
        if groups:
            decided = decide(scores, self.thresholds, groups)
            result['groups'] = group_results(scores.numpy(), decided, groups, self.classes)
        if self.loaded.calibrated:
            result['calibrated'] = True
        if options.show_dir is not None:
            Path(options.show_dir).mkdir(parents=True, exist_ok=True)
            picture = draw_result(self.read(image)['img'], result, maps, visible_region(sample))
            picture.save(Path(options.show_dir) / picture_name(number, path))
        return sample.set_pred_label(labels) if options.return_datasamples else result

    def read(self, image: ImageInput) -> dict[str, Any]:
        """Read one image; see :meth:`ImagePipeline.read`."""
        return self.pipeline.read(image)

    def _predict(self, images: Sequence[ImageInput], options: ResultOptions) -> list[Found]:
        """Predict a batch, one forward pass for each image size in it."""
        found: dict[int, Found] = {}
        groups: dict[tuple[int, ...], list[tuple[int, dict]]] = defaultdict(list)
        for index, image in enumerate(images):
            try:
                packed = self.pipeline(image)
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
            except ValueError as error:  # images too small for the network
                if options.on_error == 'raise':
                    raise
                results = [error] * len(indices)
            found.update(zip(indices, results, strict=True))
        return [found[index] for index in range(len(images))]

    def forward(
        self, inputs: dict, layer: int | None = None
    ) -> list[tuple[DataSample, list[Tensor] | None]]:
        """Run the network.

        Args:
            inputs: Collated batch of the pipeline.
            layer: Decoder layer whose maps are computed as well; None computes none.

        Returns:
            For each image its prediction and, for each scale, (K, h_i, w_i) or None; on the CPU.

        Raises:
            ValueError: The head has another number of logits than classes, or no such layer.
        """
        samples, maps = self._fast.predict(inputs, layer)
        if samples[0].pred_score.shape != (self.loaded.num_classes,):
            raise ValueError(
                f'{type(self.model.head).__name__} must give {self.loaded.num_classes} logits for '
                f'an image (its `num_classes`), got shape {tuple(samples[0].pred_score.shape)}'
            )
        maps = [x.float().cpu() for x in maps]
        return [
            (sample.cpu(), None if layer is None else [x[b] for x in maps])
            for b, sample in enumerate(samples)
        ]
