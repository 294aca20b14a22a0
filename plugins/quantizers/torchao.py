"""torchao: weights in 8 bits, as whole numbers or floats, by torch's own library.

https://docs.pytorch.org/ao/stable/; https://huggingface.co/docs/transformers/quantization/torchao
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from luthier.core import hookimpl
from luthier.core.model.quantization import Quantizer, warn_of_whole

if TYPE_CHECKING:
    from luthier.core.hooks import Phase
    from luthier.core.model.layers import LayerMap
    from luthier.core.model.loading import LoadPlan

CLASSES = {
    "int8": "Int8WeightOnlyConfig",
    "int8-dynamic": "Int8DynamicActivationInt8WeightConfig",
    "float8": "Float8WeightOnlyConfig",
}
"""torchao's classes of configs; transformers trains beside no others."""


class TorchAo(Quantizer):
    """Hold each linear layer of the blocks in 8 bits, by torchao."""

    type: Literal["int8", "int8-dynamic", "float8"] = "int8"
    """Whole numbers, whole numbers with inputs rounded to them too, or floats."""

    methods: ClassVar = frozenset({"torchao"})
    quantizes: ClassVar = True
    packages: ClassVar = ("torchao>=0.15",)
    extra: ClassVar = "torchao"

    @classmethod
    def stored_options(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return the type that the stored model tells, even where it is none of these."""
        # once it was a text; transformers opens none of these, so it is told as it stands
        named = stored.get("quant_type")
        for key in ("default", "_type"):
            named = named.get(key) if isinstance(named, Mapping) else named
        return {"type": next((one for one, name in CLASSES.items() if name == named), named)}

    @hookimpl
    def plan_load(self, plan: LoadPlan) -> None:
        """Choose transformers' TorchAoConfig."""
        if plan.stored is not None:
            return
        from torchao import quantization
        from transformers import TorchAoConfig

        plan.quantization = TorchAoConfig(getattr(quantization, CLASSES[self.type])())

    @hookimpl
    def patch_model(self, model: Any, layers: LayerMap, phase: Phase) -> None:
        """Change nothing; warn of what stays whole."""
        if phase == "built":
            warn_of_whole(model, layers)
