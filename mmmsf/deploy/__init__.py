"""Deployment: ONNX export, int8 quantisation and a classifier without torch."""

import importlib
from typing import Any

# All need packages of the extra `export` and are imported on first use.
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
