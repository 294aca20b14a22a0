"""The kernels of GPTQModel, which GPTQ and AWQ share."""

from __future__ import annotations

from typing import Any

MODE = "linear_mode"
"""The attribute of its layers for a CPU that says what their weights lie ready for, once told."""


def keep_trainable(model: Any) -> None:
    """Have layers compute by the kernel that has a gradient, where something is trained.

    The first time that a layer for a CPU is evaluated, GPTQModel (7.6) lays its weights out for a
    kernel without one, and stays with that: what is trained after a validation, or after a patch
    has tried the model out, would get no gradient through the layer.

    Args:
        model: the model, with its adapter.
    """
    if any(parameter.requires_grad for parameter in model.parameters()):
        for layer in model.modules():
            if getattr(layer, MODE, "") is None:
                setattr(layer, MODE, "train")
