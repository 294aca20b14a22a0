"""bitsandbytes: weights in 8 bits, or in 4 bits of a table, quantized as they are loaded.

8 bits: LLM.int8 (Dettmers et al., 2022, https://arxiv.org/abs/2208.07339). 4 bits, for QLoRA:
Dettmers et al., 2023 (https://arxiv.org/abs/2305.14314). Its config:
https://huggingface.co/docs/transformers/quantization/bitsandbytes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from luthier.core import hookimpl
from luthier.core.model.quantization import KEY, Quantizer, warn_of_whole

if TYPE_CHECKING:
    from luthier.core.hooks import Phase
    from luthier.core.model.layers import LayerMap
    from luthier.core.model.loading import LoadPlan


class BitsAndBytes(Quantizer):
    """Hold each linear layer of the blocks in 4 or 8 bits, by bitsandbytes."""

    bits: Literal[4, 8] = 4
    """Bits of a weight; what its scales take comes on top."""
    type: Literal["nf4", "fp4"] = "nf4"
    """Which 16 values 4 bits mean: spaced as normal weights are (nf4), or floats (fp4)."""
    double_quantization: bool = True
    """Whether the scales of 4-bit blocks are quantized too, which saves 0.37 bits a weight."""
    compute_dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """The precision that 4-bit weights are computed in; `auto` is that of the model."""
    threshold: Annotated[float, Field(ge=0)] = 6.0
    """Of 8 bits: columns of inputs that have a larger value than this are computed whole."""

    methods: ClassVar = frozenset({"bitsandbytes"})
    quantizes: ClassVar = True
    packages: ClassVar = ("bitsandbytes>=0.48",)
    extra: ClassVar = "bnb"

    def traits_of_options(self) -> frozenset[str]:
        """Return to how many bits it rounds."""
        four = self.bits == 4  # noqa: PLR2004 - the other is 8
        return frozenset({"rounded-to-4-bits"}) if four else frozenset()

    @classmethod
    def opens(cls, stored: Mapping[str, Any]) -> bool:
        """Return whether bitsandbytes stored it; at first it named no method."""
        older = stored.get("load_in_4bit") or stored.get("load_in_8bit")
        unnamed = not stored.get("quant_method") and bool(older)
        return unnamed or super().opens(stored)

    @classmethod
    def stored_options(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a stored model tells; what it is computed in is no fact of its weights."""
        if stored.get("load_in_8bit"):
            return {"bits": 8, "threshold": float(stored.get("llm_int8_threshold", 6.0))}
        return {
            "bits": 4,
            "type": stored.get("bnb_4bit_quant_type", "fp4"),
            "double_quantization": stored.get("bnb_4bit_use_double_quant", False),
        }

    @hookimpl
    def plan_load(self, plan: LoadPlan) -> None:
        """Choose transformers' BitsAndBytesConfig."""
        from transformers import BitsAndBytesConfig

        compute = plan.dtype if self.compute_dtype == "auto" else self.compute_dtype
        if plan.stored is not None:
            plan.change_config(KEY, {**plan.stored, "bnb_4bit_compute_dtype": compute})
            return
        plan.quantization = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=self.bits == 4,  # noqa: PLR2004 - the other is 8
            load_in_8bit=self.bits == 8,  # noqa: PLR2004
            bnb_4bit_quant_type=self.type,
            bnb_4bit_use_double_quant=self.double_quantization,
            bnb_4bit_compute_dtype=compute,
            llm_int8_threshold=self.threshold,
        )

    @hookimpl
    def patch_model(self, model: Any, layers: LayerMap, phase: Phase) -> None:
        """Keep 4-bit weights as they are on a CPU; warn of what stays whole.

        On a CPU with AVX512-BF16, bitsandbytes (0.50) lays the weights of a layer that is evaluated
        out anew, for a kernel that has no gradient: what is trained after a validation would get
        none, or a wrong one.
        """
        if phase == "adapted":
            return
        for layer in model.modules():
            if hasattr(layer, SWITCH):
                setattr(layer, SWITCH, False)
        warn_of_whole(model, layers)


SWITCH = "support_avx512bf16_for_cpu"
"""The attribute of bitsandbytes' 4-bit layers that says whether they may be laid out anew."""
