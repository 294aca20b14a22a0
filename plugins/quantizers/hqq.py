"""HQQ: scales and zeros found by half-quadratic optimization, with no data at all.

Badri and Shaji, 2023 (https://mobiusml.github.io/hqq_blog/; https://github.com/mobiusml/hqq).
transformers 5 does not load through it, so the layers are exchanged in the loaded model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from luthier.core import BadModel, hookimpl
from luthier.core.model.quantization import Quantizer, warn_of_whole

if TYPE_CHECKING:
    from luthier.core.hooks import Phase, Undo
    from luthier.core.model.layers import LayerMap


class Hqq(Quantizer):
    """Hold each linear layer of the blocks in 1 to 8 bits, by HQQ, once the model is loaded."""

    bits: Literal[8, 4, 3, 2, 1] = 4
    """Bits of a weight; what its scales take comes on top."""
    group_size: Annotated[int, Field(ge=8, multiple_of=8)] = 64
    """How many weights share a scale and a zero."""

    quantizes: ClassVar = True
    packages: ClassVar = ("hqq>=0.2.8",)
    extra: ClassVar = "hqq"

    @hookimpl
    def patch_model(self, model: Any, layers: LayerMap, phase: Phase) -> Undo | None:
        """Exchange the linear layers; the weights that they had are gone, so nothing undoes it.

        Raises:
            BadModel: the weights of a layer do not divide into groups.
        """
        if phase == "adapted":
            return None
        import torch
        from hqq.core.quantize import BaseQuantizeConfig, HQQLinear

        from luthier.core.model.layers import GROUPS

        config = BaseQuantizeConfig(nbits=self.bits, group_size=self.group_size, axis=1)
        for name in layers.names_of(*GROUPS["all"]):
            if layers.parameters.get(name) == name:
                continue  # no module
            layer = model.get_submodule(name)
            if not isinstance(layer, torch.nn.Linear):
                continue
            if layer.in_features % self.group_size:
                raise BadModel(
                    f"the {layer.in_features} inputs of {name} do not divide into groups of "
                    f"{self.group_size}. Choose another `quantizer.group_size`."
                )
            weight = layer.weight
            held = HQQLinear(layer, config, compute_dtype=weight.dtype, device=str(weight.device))
            model.set_submodule(name, held)
        warn_of_whole(model, layers)
        return None
