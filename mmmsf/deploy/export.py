"""Export to ONNX files from RGB images of 0 to 255 to scores."""

import json
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from mmmsf.checkpoint.loading import LoadedModel
from mmmsf.utils.groups import name_groups
from mmmsf.version import __version__

from .export_check import check_onnx, other_size
from .export_trace import trace_onnx
from .pipeline_images import pipeline_images, set_pipeline_size
from .score_model import ScoreModel

META_KEY = 'mmmsf'  # entry of metadata_props with our data as JSON
FORMAT = 1
GROUPS_FORMAT = 2  # of models with exclusive groups, whose decisions older programs get wrong
_LOADERS = ('LoadImage', 'LoadImageFromFile')
_LOADER_KEYS = {
    'type',
    'max_pixels',
    'backend_args',
    'ignore_orientation',
}  # others may change the pixels
_PACKERS = ('PackInputs',)


def pipeline_resize(pipeline: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Describe the Resize of a test pipeline.

    Returns:
        ``dict(width=, height=, interpolation=, backend=)``, or None where images keep their size.

    Raises:
        ValueError: The pipeline has other steps than reading, one plain Resize and packing.
    """
    resize = None
    for step in pipeline:
        name = str(step['type']).rsplit('.', 1)[-1]
        if name in _PACKERS or (name in _LOADERS and not step.keys() - _LOADER_KEYS):
            continue
        scale = step.get('scale')
        plain = (
            name == 'Resize'
            and resize is None
            and scale is not None
            and not step.get('keep_ratio')
            and step.get('backend', 'cv2') in ('cv2', 'pillow')
        )
        if not plain or scale is None:
            raise ValueError(
                f'the test pipeline has the step {dict(step)}; an exported model must have only '
                'reading, at most one Resize to a fixed size by cv2 or pillow, and packing'
            )
        width, height = (scale, scale) if isinstance(scale, int) else scale
        resize = dict(
            width=int(width),
            height=int(height),
            interpolation=step.get('interpolation', 'bilinear'),
            backend=step.get('backend', 'cv2'),
        )
    return resize


def describe(
    loaded: LoadedModel,
    size: tuple[int, int] | None,
    resize: dict[str, Any] | None,
    ignore_orientation: bool,
) -> dict[str, Any]:
    """Collect the data that a program needs beside the graph.

    Args:
        loaded: Exported model.
        size: (height, width) of the images, None for any size.
        resize: Description by :func:`pipeline_resize`.
        ignore_orientation: True if the test pipeline skips the EXIF rotation.

    Returns:
        Numbers, strings, lists and dicts, ready for JSON.
    """
    preprocessor = loaded.model.data_preprocessor
    normalize = preprocessor._enable_normalize
    groups = name_groups(loaded.groups, loaded.classes)
    return dict(
        format=GROUPS_FORMAT if groups else FORMAT,
        **(dict(groups=groups) if groups else {}),
        mmmsf_version=__version__,
        classes=list(loaded.classes),
        thresholds=[float(value) for value in loaded.thresholds],
        size=None if size is None else list(size),
        resize=resize,
        ignore_orientation=ignore_orientation,
        input=dict(name='images', color='rgb', range=[0, 255], layout='NCHW', dtype='float32'),
        folded=dict(
            to_rgb=bool(preprocessor.to_rgb),
            mean=preprocessor.mean.flatten().tolist() if normalize else None,
            std=preprocessor.std.flatten().tolist() if normalize else None,
            sigmoid=True,
            calibration=loaded.calibrated,
        ),
    )


def _finish(path: Path, meta: dict[str, Any]) -> None:
    """Name the axes, remove the exporter's notes, which contain local paths, and add our data."""
    import onnx

    proto = onnx.load(path)
    del proto.graph.value_info[:]  # with the exporter's names of the axes
    for item in [
        *proto.graph.node,
        *proto.graph.input,
        *proto.graph.output,
        *proto.graph.initializer,
        *proto.functions,
        proto.graph,
        proto,
    ]:
        if hasattr(item, 'metadata_props'):
            del item.metadata_props[:]
    for node in proto.graph.node:
        node.doc_string = ''
    axes = ('batch', 'channels', 'height', 'width')
    for tensor in (proto.graph.input[0], proto.graph.output[0]):
        for dim, name in zip(tensor.type.tensor_type.shape.dim, axes, strict=False):
            if not dim.dim_value:
                dim.dim_param = name
    onnx.helper.set_model_props(proto, {META_KEY: json.dumps(meta)})
    onnx.checker.check_model(proto)
    onnx.save(proto, path)


def export_onnx(
    loaded: LoadedModel,
    path: str | Path,
    size: tuple[int, int] | None = None,
    dynamic_size: bool = False,
    opset: int = 18,
    check: bool = True,
    files: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Write a model as ONNX: ``images`` (B, 3, H, W) in, ``scores`` (B, K) out.

    ``images`` is float32, RGB, 0 to 255; normalisation, sigmoid and, of a calibrated model, the
    calibration are part of the graph. The batch
    size is dynamic, except for backbones that make it a constant when traced, such as
    ``SwinTransformer``: their file takes one image at a time, which is logged. The entry ``mmmsf``
    of the file's metadata is the JSON of :func:`describe`.

    Args:
        loaded: Model, on the CPU.
        path: File to write, atomically.
        size: (height, width) of the images; by default the size of the test pipeline's Resize,
            without one the size of the first image.
        dynamic_size: Make height and width dynamic as well.
        opset: Version of the operator set, at least 18.
        check: Compare with the torch model before the file is moved to ``path``.
        files: Images for the check; by default the first of the config's test set.

    Returns:
        The metadata, with ``batch`` (None for any, else 1), and the largest difference of a score
        as ``difference`` (None if not checked).

    Raises:
        ValueError: The model or its test pipeline cannot be exported, or the check fails.
        ImportError: onnx, onnxscript or, for the check, onnxruntime is missing.
    """
    path = Path(path)
    pipeline = set_pipeline_size(loaded.pipeline, size)
    resize = pipeline_resize(pipeline)
    if size is None and resize is not None:
        size = resize['height'], resize['width']
    images = []
    if check or size is None:
        images = pipeline_images(loaded.cfg, pipeline, files, 3)
        size = size or images[0].shape[:2]
    ignore_orientation = any(step.get('ignore_orientation', False) for step in pipeline)
    meta = describe(loaded, None if dynamic_size else size, resize, ignore_orientation)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / 'model.onnx'
        graph = ScoreModel(loaded.model, dynamic_size)
        any_batch = trace_onnx(graph, size, dynamic_size, opset, draft)
        meta['batch'] = None if any_batch else 1
        if not any_batch:
            print_log(
                f'{path} takes one image at a time: {type(loaded.model.backbone).__name__} makes '
                'the batch size a constant when it is traced',
                logger='current',
                level=logging.WARNING,
            )
        _finish(draft, meta)
        difference = None
        if check:
            sizes = [size, other_size(size)] if dynamic_size else [size]
            counts = (1, len(images)) if any_batch else (1,)
            difference = max(check_onnx(draft, loaded.model, images, x, counts) for x in sizes)
        os.replace(draft, path)
    return dict(**meta, difference=difference)
