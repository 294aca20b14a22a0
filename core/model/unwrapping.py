"""The model beneath PEFT's wrapper of it."""

from __future__ import annotations

from typing import Any


def unwrapped(model: Any) -> Any:
    """Return the transformers model that PEFT wrapped, its layers adapted; or the model itself."""
    return model.get_base_model() if hasattr(model, "peft_config") else model


def class_name(model: Any) -> str:
    """Return the name of a model's class, for messages: that of PEFT's wrapper tells nothing."""
    return type(unwrapped(model)).__name__
