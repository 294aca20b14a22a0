"""Norm tuning: train the normalisation layers and nothing else (Zhao et al., 2023).

Source: https://arxiv.org/abs/2312.11420.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luthier.core import BadModel, Plugin, hookimpl

if TYPE_CHECKING:
    from torch import nn

    from luthier.core.model.layers import LayerMap


class NormTuning(Plugin):
    """Train the normalisation layers and nothing else."""

    biases: bool = False
    """Also train the bias terms, where the model has any."""

    traits: ClassVar = frozenset({"trains-base-weights", "trains-vectors"})
    serves: ClassVar = "training"

    @hookimpl
    def attach_adapter(self, model: nn.Module, layers: LayerMap) -> nn.Module | None:
        """Return the model, its norms trainable and all else frozen."""
        from luthier.core.model.layers import LayerType

        for name, parameter in model.named_parameters():
            parameter.requires_grad = self.biases and name.endswith("bias")
        for name in layers.names_of(LayerType.NORM):
            model.get_submodule(name).requires_grad_()
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise BadModel(
                f"norm-tuning has nothing to train: {type(model).__name__} has no norms with "
                "weights. Choose another tuner, such as `lora`."
            )
        return model
