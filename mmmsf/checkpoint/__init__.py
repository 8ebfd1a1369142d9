"""Checkpoints: safe reading and writing, and models with their classes and thresholds."""

from .files import read_checkpoint, secure_checkpoint_loading, write_checkpoint
from .loading import LoadedModel, build_model, load_model

__all__ = [
    'LoadedModel',
    'build_model',
    'load_model',
    'read_checkpoint',
    'secure_checkpoint_loading',
    'write_checkpoint',
]
