"""FP8: weights stored as floats of 8 bits with a scale for each block, as DeepSeek-V3's are.

DeepSeek-AI, 2024 (https://arxiv.org/abs/2412.19437), section 3.3;
https://huggingface.co/docs/transformers/quantization/finegrained_fp8
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import hookimpl
from luthier.core.model.quantization import KEY, Quantizer, write_as_whole

if TYPE_CHECKING:
    from luthier.core.hooks import Phase
    from luthier.core.model.loading import LoadPlan


class Fp8(Quantizer):
    """Open a model that is stored in floats of 8 bits."""

    dequantize: bool = False
    """Whether its weights are held in the model's precision once they are read. Without a GPU of
    compute capability 8.9 they are in any case."""

    methods: ClassVar = frozenset({"fp8"})

    @hookimpl
    def plan_load(self, plan: LoadPlan) -> None:
        """Say how the weights are held; all else is the stored model's."""
        plan.change_config(KEY, {**(plan.stored or {}), "dequantize": self.dequantize})

    @hookimpl
    def patch_model(self, model: Any, phase: Phase) -> None:
        """Have what was made whole written so."""
        if phase == "built":
            write_as_whole(model)
