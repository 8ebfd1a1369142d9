"""What a program does with a trained model."""

from .inferencer import MultiLabelInferencer
from .loading import LoadedModel, load_model

__all__ = ['LoadedModel', 'MultiLabelInferencer', 'load_model']
