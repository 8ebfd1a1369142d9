"""Access to the model inside its wrappers."""

from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper


def unwrap_model(model: Any) -> Any:
    """Return the model inside DDP, test-time augmentation and the like, nested in any order."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model


def averages_views(model: Any) -> bool:
    """Return whether a model, inside its wrappers, averages over views of an image."""
    while is_model_wrapper(model) and not isinstance(model, BaseTTAModel):
        model = model.module
    return isinstance(model, BaseTTAModel)
