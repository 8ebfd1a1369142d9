"""Checkpoints: safe reading and writing, and models with their classes and thresholds."""

from .files import read_checkpoint, write_checkpoint
from .loading import LoadedModel, build_model, load_model
from .secure_loading import secure_checkpoint_loading, secure_loading

__all__ = [
    'LoadedModel',
    'build_model',
    'load_model',
    'read_checkpoint',
    'secure_checkpoint_loading',
    'secure_loading',
    'write_checkpoint',
]
