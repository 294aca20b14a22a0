"""BitFit: the bias terms are trained, and nothing else (Ben Zaken et al., 2022).

Source: https://arxiv.org/abs/2106.10199, section 3. Many decoders, Llama among them, have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadModel, Plugin, hookimpl
from luthier.core.model.layers import LayerType

if TYPE_CHECKING:
    from luthier.core.model.layers import LayerMap


class BitFit(Plugin):
    """Train the bias terms, and nothing else."""

    norms: bool = False
    """Train the normalisation layers, too."""

    traits: ClassVar = frozenset({"trains-base-weights", "trains-vectors", "fixed-embedding"})
    serves: ClassVar = "training"

    @hookimpl
    def check_layers(self, model: Any, layers: LayerMap) -> None:
        """Refuse a model without a bias; freeze what is not trained, for those asked after it."""
        self.attach_adapter(model, layers)

    @hookimpl
    def attach_adapter(self, model: Any, layers: LayerMap) -> Any:
        """Return the model, its bias terms trainable and all else frozen.

        Raises:
            BadModel: it has nothing to train.
        """
        chosen = self._chosen(model, layers)
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name in chosen
        return model

    def _chosen(self, model: Any, layers: LayerMap) -> set[str]:
        """Return the names of the parameters to train.

        Raises:
            BadModel: there are none.
        """
        chosen = {name for name, _ in model.named_parameters() if name.endswith("bias")}
        for norm in layers.names_of(LayerType.NORM) if self.norms else ():
            chosen |= {f"{norm}.{name}" for name, _ in model.get_submodule(norm).named_parameters()}
        if chosen:
            return chosen
        also, remedy = (
            (" and no norms with weights", "Choose another tuner, such as `lora`.")
            if self.norms
            else ("", "Train its norms: `tuner: {name: bitfit, norms: true}`.")
        )
        raise BadModel(
            f"bitfit has nothing to train: {type(model).__name__} has no bias terms{also}. {remedy}"
        )
