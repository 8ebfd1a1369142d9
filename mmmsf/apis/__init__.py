"""What a program does with a trained model."""

from .loading import LoadedModel, load_model

__all__ = ['LoadedModel', 'load_model']
