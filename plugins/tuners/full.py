"""Full fine-tuning: every parameter of the model is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    from torch import nn


class Full(Plugin):
    """Train every parameter."""

    traits: ClassVar = frozenset({"trains-base-weights"})
    serves: ClassVar = "training"

    @hookimpl
    def attach_adapter(self, model: nn.Module) -> nn.Module | None:
        """Return the model, all of it trainable."""
        return model.requires_grad_(requires_grad=True)
