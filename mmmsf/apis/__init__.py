"""What a program does with a trained model."""

from typing import Any

from .inferencer import MultiLabelInferencer
from .loading import LoadedModel, load_model

__all__ = ['LoadedModel', 'MultiLabelInferencer', 'OnnxClassifier', 'load_model']


def __getattr__(name: str) -> Any:
    if name == 'OnnxClassifier':  # needs onnxruntime, which comes with the extra `export`
        from .onnx_classifier import OnnxClassifier
        return OnnxClassifier
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
