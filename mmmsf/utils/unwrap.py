"""The model inside its wrappers."""

from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper


def unwrap_model(model: Any) -> Any:
    """Take off DDP, test-time augmentation and the like, in any nesting."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model
