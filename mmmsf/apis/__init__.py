"""Prediction with a trained model."""

from typing import Any

from mmmsf.checkpoint import LoadedModel, load_model

from .inferencer import MultiLabelInferencer

__all__ = ['LoadedModel', 'MultiLabelInferencer', 'OnnxClassifier', 'load_model']


def __getattr__(name: str) -> Any:
    if name == 'OnnxClassifier':  # needs onnxruntime, which comes with the extra `export`
        from mmmsf.deploy import OnnxClassifier

        return OnnxClassifier
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
