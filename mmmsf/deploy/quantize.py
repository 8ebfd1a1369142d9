"""Eight-bit versions of exported models."""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from mmengine.dataset import BaseDataset
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from mmmsf.evaluation.functional import average_precision, mean_average_precision
from mmmsf.evaluation.rows import sample_target

from .export import META_KEY
from .export_check import onnx_input
from .pipeline_images import to_image

# The products, and the activations that merge into them: a convolution's int8 range is then that
# after its ReLU or ReLU6. Softmax and layer norms stay in float32.
OPERATORS = ('Conv', 'MatMul', 'Gemm', 'Relu', 'Clip')


class _Images(CalibrationDataReader):
    """Iterate over calibration images, in the interface of onnxruntime."""

    def __init__(self, images: Iterable[NDArray[np.uint8]]) -> None:
        self._images: Iterator[NDArray[np.uint8]] = iter(images)
        self.first = next(self._images, None)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next image as the model's input, None at the end."""
        image, self.first = self.first, next(self._images, None)
        return None if image is None else {'images': onnx_input(image[None])}


def read_meta(path: str | Path) -> dict[str, Any]:
    """Read the metadata of :func:`~.export.describe` in an exported file.

    Raises:
        FileNotFoundError: There is no file ``path``.
        ValueError: It is no file of :func:`~.export.export_onnx`.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no model {path}')
    try:
        stored = open_session(path).get_modelmeta().custom_metadata_map.get(META_KEY)
    except Exception as error:  # onnxruntime has a type for each way to fail
        raise ValueError(f'{path} is not an ONNX model: {error}') from error
    if stored is None:
        raise ValueError(
            f'{path} has no metadata of this package; export it with '
            'tools/deployment/export_onnx.py'
        )
    return json.loads(stored)


def _weights_per_head(proto: onnx.ModelProto) -> list[str]:
    """Find the matrix products with a weight of more than two axes.

    onnxruntime gives such a weight a scale for each entry of its second axis, which is not the
    axis of the output, and then fails to run the product (seen with 1.23).

    Returns:
        Names of the nodes.
    """
    rank = {item.name: len(item.dims) for item in proto.graph.initializer}
    return [
        node.name
        for node in proto.graph.node
        if node.op_type == 'MatMul' and any(rank.get(name, 0) > 2 for name in node.input)
    ]


def quantize_onnx(path: str | Path, out: str | Path, images: Iterable[NDArray[np.uint8]]) -> None:
    """Quantise convolutions and matrix products to int8: QDQ format, weights per channel.

    Products with a weight for each attention head stay in float32, as softmax and norms do.

    Args:
        path: File of :func:`~.export.export_onnx`.
        out: File to write, atomically; it has the same inputs and metadata.
        images: BGR images (H, W, 3) after the test pipeline, to calibrate the activations;
            about 100 training images are enough.

    Raises:
        FileNotFoundError: There is no file ``path``.
        ValueError: ``images`` is empty, or the file is no exported model.
    """
    path, out = Path(path), Path(out)
    meta = read_meta(path)
    reader = _Images(images)
    if reader.first is None:
        raise ValueError('`images` must hold at least one image to calibrate with')
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        prepared, draft = Path(folder) / 'prepared.onnx', Path(folder) / 'int8.onnx'
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(draft),
            reader,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            nodes_to_exclude=_weights_per_head(onnx.load(prepared)),
        )
        proto = onnx.load(draft)
        onnx.helper.set_model_props(proto, {META_KEY: json.dumps(dict(**meta, int8=True))})
        onnx.save(proto, draft)
        os.replace(draft, out)


def open_session(path: str | Path, threads: int | None = None) -> onnxruntime.InferenceSession:
    """Open an ONNX file on the CPU, with all cores where ``threads`` is None."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])


def mean_ap(
    path: str | Path,
    dataset: BaseDataset,
    count: int | None = None,
    threads: int | None = None,
    min_positives: int = 1,
) -> float:
    """Measure the mAP, 0 to 100, of an exported model on a dataset with the test pipeline.

    Args:
        path: ONNX file.
        dataset: Dataset whose samples have ``gt_score`` or ``gt_label``.
        count: Number of images from the start, None for all.
        threads: CPU threads, None for all cores.
        min_positives: Classes with fewer positives are left out of the mean.
    """
    session = open_session(path, threads)
    scores, targets = [], []
    for i in range(len(dataset) if count is None else min(count, len(dataset))):
        data = dataset[i]
        score = session.run(None, {'images': onnx_input(to_image(data)[None])})[0][0]  # (K,)
        scores.append(score)
        targets.append(sample_target(data['data_samples'], len(score), f'image {i}').numpy())
    target = np.stack(targets)
    ap = average_precision(np.stack(scores), target)
    return 100 * mean_average_precision(ap[(target == 1).sum(axis=0) >= min_positives])
