"""BitFit: the bias terms are trained, and nothing else (Ben Zaken et al., 2022).

Source: https://arxiv.org/abs/2106.10199, section 3. Many decoders, Llama among them, have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadModel, Plugin, hookimpl

if TYPE_CHECKING:
    from luthier.core.model.layers import LayerMap
    from luthier.core.model.vocabulary import Vocabulary


class BitFit(Plugin):
    """Train the bias terms, and nothing else."""

    norms: bool = False
    """Train the normalisation layers, too."""

    traits: ClassVar = frozenset({"trains-base-weights", "trains-vectors"})
    serves: ClassVar = "training"

    @hookimpl
    def attach_adapter(self, model: Any, layers: LayerMap, vocabulary: Vocabulary) -> Any:
        """Return the model, its bias terms trainable and all else frozen.

        Raises:
            BadModel: it has nothing to train, or tokens that are new to it.
        """
        from luthier.core.model.layers import LayerType

        if vocabulary.ids:
            raise BadModel(
                f"{vocabulary.tokens[0]!r} is new to the model, and bitfit leaves its embedding as "
                "it begins. Add no tokens, or choose `tuner: lora`."
            )
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name.endswith("bias")
        for name in layers.names_of(LayerType.NORM) if self.norms else ():
            model.get_submodule(name).requires_grad_(requires_grad=True)
        if any(parameter.requires_grad for parameter in model.parameters()):
            return model
        also, remedy = (
            (" and no norms with weights", "Choose another tuner, such as `lora`.")
            if self.norms
            else ("", "Train its norms: `tuner: {name: bitfit, norms: true}`.")
        )
        raise BadModel(
            f"bitfit has nothing to train: {type(model).__name__} has no bias terms{also}. {remedy}"
        )
