"""BitFit: train the bias terms and nothing else (Ben Zaken et al., 2022).

Source: https://arxiv.org/abs/2106.10199. Many decoders, Llama among them, have no bias terms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luthier.core import BadModel, Plugin, hookimpl

if TYPE_CHECKING:
    from torch import nn

    from luthier.core.model.layers import LayerMap


class BitFit(Plugin):
    """Train the bias terms and nothing else."""

    norms: bool = False
    """Also train the normalisation layers' parameters."""

    traits: ClassVar = frozenset({"trains-base-weights"})
    serves: ClassVar = "training"

    @hookimpl
    def attach_adapter(self, model: nn.Module, layers: LayerMap) -> nn.Module | None:
        """Return the model, its bias terms trainable and all else frozen."""
        from luthier.core.model.layers import LayerType

        model.requires_grad_(requires_grad=False)
        for name, parameter in model.named_parameters():
            if name.rpartition(".")[2] == "bias":
                parameter.requires_grad_()
        for name in layers.names_of(LayerType.NORM) if self.norms else ():
            model.get_submodule(name).requires_grad_()
        if any(parameter.requires_grad for parameter in model.parameters()):
            return model
        if self.norms:
            raise BadModel(
                f"bitfit has nothing to train: {type(model).__name__} has no bias terms, and no "
                "norms with weights. Choose another tuner, such as `tuner: lora`."
            )
        raise BadModel(
            f"bitfit has nothing to train: {type(model).__name__} has no bias terms. "
            "Train its norms: `tuner: {name: bitfit, norms: true}`."
        )
