"""Deployment: ONNX export, int8 quantisation and a classifier that needs no torch."""

import importlib
from typing import Any

# Each needs packages of the extra `export`, so none is imported before it is asked for.
_MODULES = {
    'OnnxClassifier': 'onnx_classifier',
    'export_onnx': 'export',
    'quantize_onnx': 'quantize',
}

__all__ = ['OnnxClassifier', 'export_onnx', 'quantize_onnx']


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f'{__name__}.{_MODULES[name]}'), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
