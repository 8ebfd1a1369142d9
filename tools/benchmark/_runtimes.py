"""Runtimes of a network: eager, compiled, in other precisions, onnxruntime."""

import contextlib
import copy
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from _timing import Task
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmpretrain.models import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmmsf.checkpoint.loading import LoadedModel
from mmmsf.utils.fold import fold_batch_norms

# Option -> what it does. `eager` is the absence of all of them.
OPTIONS = {
    'compiled': 'torch.compile',
    'frozen': 'torch.compile with the weights as constants',
    'bf16': 'weights and activations in bfloat16; in training autocast',
    'amp': 'float32 weights under bfloat16 autocast',
    'channels_last': 'NHWC layout of weights and images',
    'folded': 'batch norms folded into the convolutions before them',
    'onnxruntime': 'exported; normalisation and sigmoid are in the graph',
    'onnxruntime-int8': 'exported, then quantised to int8',
}
_ALONE = ('onnxruntime', 'onnxruntime-int8')
_NOT_TRAINED = ('frozen', 'folded', *_ALONE)


@dataclass(frozen=True)
class Mode:
    """Runtime of a network.

    Attributes:
        name: Options joined by ``+``, or ``eager``.
    """

    name: str = 'eager'

    def __post_init__(self) -> None:
        options = self.name.split('+')
        unknown = [option for option in options if option not in (*OPTIONS, 'eager')]
        if unknown:
            raise ValueError(
                f'`mode` must be eager or some of {", ".join(OPTIONS)} joined by +, '
                f'got {self.name!r}'
            )
        alone = [option for option in options if option in (*_ALONE, 'eager')]
        pairs = ({'compiled', 'frozen'}, {'bf16', 'amp'})
        if (alone and len(options) > 1) or any(pair <= set(options) for pair in pairs):
            raise ValueError(f'the mode {self.name!r} contradicts itself')

    def __contains__(self, option: str) -> bool:
        return option in self.name.split('+')

    @property
    def onnx(self) -> bool:
        """True if onnxruntime runs the network."""
        return self.name in _ALONE

    @property
    def trains(self) -> bool:
        """True if the network can be trained in this mode."""
        return not any(option in self for option in _NOT_TRAINED)

    @property
    def dtype(self) -> torch.dtype | None:
        """Type of the matrix products, None for int8."""
        if 'onnxruntime-int8' in self:
            return None
        return torch.bfloat16 if 'bf16' in self or 'amp' in self else torch.float32


@contextlib.contextmanager
def _autocast(device: torch.device, enabled: bool) -> Iterator[None]:
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled):
        yield


def _laid_out(mode: Mode, tensor: Tensor) -> Tensor:
    return (
        tensor.contiguous(memory_format=torch.channels_last) if 'channels_last' in mode else tensor
    )


class Inference:
    """Forward pass to the logits (to the scores in onnxruntime) on a copy of a model.

    Args:
        model: Classifier, which is copied.
        mode: Runtime.
        images: Images (B, 3, H, W), float32, on the model's device.
        threads: Number of CPU threads of onnxruntime, by default all cores.

    Attributes:
        task: The forward pass.
        net: The copy, None where onnxruntime runs it.
    """

    def __init__(
        self, model: ImageClassifier, mode: Mode, images: Tensor, threads: int | None = None
    ) -> None:
        self.net: nn.Module | None = None
        if mode.onnx:
            self.task = Task(_onnx_call(model, mode, images, threads))
            return
        net: nn.Module = copy.deepcopy(model).eval()
        if 'folded' in mode:
            fold_batch_norms(net, lambda: net(images[:1], mode='tensor'))
        if 'bf16' in mode:
            net, images = net.to(torch.bfloat16), images.to(torch.bfloat16)
        if 'channels_last' in mode:
            net = net.to(memory_format=torch.channels_last)
        images = _laid_out(mode, images)
        forward: Callable[..., Tensor] = net
        if 'frozen' in mode:
            forward = torch.compile(net, dynamic=False, options={'freezing': True})
        elif 'compiled' in mode:
            forward = torch.compile(net, dynamic=False)

        def call() -> Tensor:
            with torch.no_grad(), _autocast(images.device, 'amp' in mode):
                return forward(images, mode='tensor')

        self.net, self.task = net, Task(call)


def _onnx_call(
    model: ImageClassifier, mode: Mode, images: Tensor, threads: int | None
) -> Callable[[], object]:
    from mmmsf.deploy.export import export_onnx
    from mmmsf.deploy.quantize import open_session, quantize_onnx

    if images.device.type != 'cpu':
        raise ValueError(f'mode {mode.name} runs on the CPU only, got device {images.device}')
    count, (height, width) = model.head.num_classes, images.shape[-2:]
    loaded = LoadedModel(
        model,
        Config(dict(test_dataloader=dict(dataset=dict(pipeline=[])))),
        tuple(map(str, range(count))),
        np.full(count, 0.5, np.float32),
        {},
    )
    pixels = np.random.default_rng(0).integers(0, 256, (len(images), height, width, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'model.onnx'
        export_onnx(loaded, path, (height, width), check=False)
        if mode.dtype is None:
            quantize_onnx(path, Path(folder) / 'int8.onnx', pixels[:2])
            path = Path(folder) / 'int8.onnx'
        session = open_session(path, threads)
    inputs = dict(images=pixels.transpose(0, 3, 1, 2).astype(np.float32))
    return lambda: session.run(None, inputs)


def random_batch(
    num_classes: int, batch: int, size: tuple[int, int], device: torch.device | str
) -> tuple[Tensor, list[DataSample]]:
    """Draw images (B, 3, H, W) of unit variance and random labels (K,) of 0 and 1."""
    images = torch.randn(batch, 3, *size, device=device)
    labels = (torch.rand(batch, num_classes, device=device) < 0.1).float()
    return images, [DataSample().set_gt_score(row) for row in labels]


def build_optimizer(model: nn.Module, cfg: Config) -> OptimWrapper:
    """Build the config's optimizer with its parameter groups and clipping, in float32."""
    wrapper = {
        key: value
        for key, value in cfg.optim_wrapper.to_dict().items()
        if key not in ('loss_scale', 'dtype', 'use_fp16')
    }
    return build_optim_wrapper(model, Config(dict(wrapper, type='OptimWrapper'))._cfg_dict)


class TrainStep:
    """Forward pass, loss, backward pass and optimizer step on a copy of a model.

    Args:
        model: Classifier, which is copied.
        mode: Runtime.
        cfg: Config of the optimizer.

    Raises:
        ValueError: The mode cannot be trained.
    """

    def __init__(self, model: ImageClassifier, mode: Mode, cfg: Config) -> None:
        if not mode.trains:
            raise ValueError(f'the mode {mode.name!r} cannot be trained')
        self.mode = mode
        self.model: ImageClassifier = copy.deepcopy(model).train()
        if 'channels_last' in mode:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.optimizer = build_optimizer(self.model, cfg)
        self.forward: Callable[..., Tensor] = self.model
        if 'compiled' in mode:
            self.forward = torch.compile(self.model, dynamic=False)

    def task(self, images: Tensor, samples: list[DataSample]) -> Task:
        """Make the task of one step on a batch."""
        images = _laid_out(self.mode, images)
        low = self.mode.dtype == torch.bfloat16

        def step() -> None:
            with self.optimizer.optim_context(self.model):
                with _autocast(images.device, low):
                    logits = self.forward(images, mode='tensor')
                    losses = self.model.head._get_loss(logits, samples)
                loss, _ = self.model.parse_losses(losses)
            self.optimizer.update_params(loss)

        return Task(step)
