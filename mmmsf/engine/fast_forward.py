"""Forward passes of a prediction: folded batch norms, layout, mixed precision, compilation."""

import copy
import logging
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.logging import print_log
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmmsf.models.heads.attention_maps import predict_with_maps
from mmmsf.registry import MODEL_WRAPPERS
from mmmsf.utils.fold import fold_batch_norms

TOLERANCE = 1e-3  # of a logit, times the largest logit where that is above 1


@dataclass(frozen=True)
class FastOptions:
    """Choose how a network is prepared for prediction.

    Attributes:
        fold: Fold batch norms into the convolutions before them.
        channels_last: Use the memory layout NHWC.
        amp: Compute in mixed precision: bfloat16, on a GPU without it float16.
        compile: Use ``torch.compile``, on a GPU with CUDA graphs; incomplete batches are padded.
    """

    fold: bool = True
    channels_last: bool = True
    amp: bool = False
    compile: bool = False


def amp_dtype(device: torch.device) -> torch.dtype:
    """Return the type of mixed precision on a device."""
    if device.type == 'cuda' and not torch.cuda.is_bf16_supported():
        return torch.float16
    return torch.bfloat16


def compile_parts(model: nn.Module, **options: Any) -> None:
    """Compile backbone, neck and head in place.

    Args:
        model: Classifier.
        **options: Arguments of ``torch.compile``.
    """
    for name in ('backbone', 'neck', 'head'):
        part = getattr(model, name, None)
        if part is not None:
            part.compile(**options)


def _logits(model: ImageClassifier, inputs: Tensor) -> Tensor:
    """Compute logits (B, K) in float32, on a GPU without TF32."""
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        return model(inputs, mode='tensor').float()


def _to_float(head: nn.Module, args: Any, output: Any) -> Any:
    """Convert logits, so that scores are computed in float32."""
    return output.float() if isinstance(output, Tensor) else output


def prepare(model: ImageClassifier, inputs: Tensor, options: FastOptions) -> ImageClassifier:
    """Copy a classifier and prepare the copy.

    The logits of one image are compared, and a network whose logits change by more than rounding is
    not folded; a warning says so.

    Args:
        model: Classifier, which stays as it is.
        inputs: Preprocessed images (B, 3, H, W), of which the first is used.
        options: Choice of the preparations.

    Returns:
        The copy, in evaluation mode.
    """
    fast, image = copy.deepcopy(model).eval(), inputs[:1]
    if options.fold:
        before: list[Tensor] = []
        count = fold_batch_norms(fast, lambda: before.append(_logits(fast, image)))
        change = float((_logits(fast, image) - before[0]).abs().max()) if count else 0.0
        if not change <= TOLERANCE * max(1.0, float(before[0].abs().max())):
            print_log(
                f'batch norms are not folded: a logit would change by {change:.2g}',
                'current',
                level=logging.WARNING,
            )
            fast = copy.deepcopy(model).eval()
    if options.channels_last:
        fast.to(memory_format=torch.channels_last)
    if options.amp:
        fast.head.register_forward_hook(_to_float)
    if options.compile:
        mode = 'reduce-overhead' if inputs.is_cuda else None
        compile_parts(fast, dynamic=False, mode=mode)
    return fast


@MODEL_WRAPPERS.register_module()
class FastForward(nn.Module):
    """Predict with a prepared copy of a classifier, made for the first batch.

    Args:
        model: Classifier, which is copied.
        options: Choice of the preparations.
        batch_size: Number of images to which a compiled network's batches are padded.

    Attributes:
        module: The copy; until the first batch the classifier itself.
    """

    def __init__(self, model: ImageClassifier, options: FastOptions, batch_size: int = 1) -> None:
        super().__init__()
        self.module = model
        self.options = options
        self.batch_size = batch_size
        self._prepared = False

    def __getattr__(self, name: str) -> Any:
        """Look up other attributes, as test-time augmentation does, in the classifier."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == 'module':  # not set yet
                raise
            return getattr(self.module, name)

    def test_step(self, data: Any) -> list[DataSample]:
        """Predict a batch of the data loader, in MMEngine's interface of a model."""
        return self.predict(data)[0]

    @torch.no_grad()
    def predict(self, data: Any, layer: int | None = None) -> tuple[list[DataSample], list[Tensor]]:
        """Predict a batch and, where asked for, compute the maps of every class.

        Args:
            data: Collated batch of B images with ``inputs`` and ``data_samples``.
            layer: Decoder layer whose maps are computed; None computes none.

        Returns:
            The B samples, and for each scale (B, K, h_i, w_i).

        Raises:
            ValueError: The model has no maps or no such layer.
        """
        data = self.module.data_preprocessor(data, False)
        inputs, samples = data['inputs'], data.get('data_samples')
        if not self._prepared:
            self.module, self._prepared = prepare(self.module, inputs, self.options), True
        B = len(inputs)
        missing = self.batch_size - B if self.options.compile else 0
        if missing > 0:
            inputs = torch.cat([inputs, inputs[-1:].expand(missing, -1, -1, -1)])
            samples = samples and [*samples, *(DataSample() for _ in range(missing))]
        if self.options.channels_last and inputs.ndim == 4:  # cached features are vectors
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        if self.options.compile:
            torch.compiler.cudagraph_mark_step_begin()
        device = inputs.device
        with torch.autocast(device.type, amp_dtype(device), enabled=self.options.amp):
            if layer is None:
                return self.module(inputs, samples, mode='predict')[:B], []
            samples, maps = predict_with_maps(self.module, inputs, samples, layer)
        return samples[:B], [x[:B] for x in maps]
