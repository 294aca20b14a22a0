"""MXFP4: experts stored as floats of 4 bits with a scale for each 32 of them, as gpt-oss's are.

OCP Microscaling Formats, 2023
(https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf);
https://huggingface.co/docs/transformers/quantization/mxfp4. Its kernels have no gradient, so the
weights are held whole once they are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import Refusal, hookimpl
from luthier.core.model.quantization import KEY, Quantizer, write_as_whole

if TYPE_CHECKING:
    from luthier.core.hooks import Phase
    from luthier.core.model.loading import LoadPlan


class Mxfp4(Quantizer):
    """Open a model whose experts are stored in MXFP4, and hold them in the model's precision."""

    methods: ClassVar = frozenset({"mxfp4"})
    traits: ClassVar = frozenset()  # what it opens is whole
    refuses: ClassVar = (
        Refusal(
            "trains-base-weights",
            "the trained weights would be stored whole, and it opens those in MXFP4",
            "Choose a tuner that trains an adapter (`luthier plugins tuners`), or a copy of the "
            "model whose weights are whole",
        ),
    )

    @hookimpl
    def plan_load(self, plan: LoadPlan) -> None:
        """Have the weights made whole; all else is the stored model's."""
        plan.change_config(KEY, {**(plan.stored or {}), "dequantize": True})

    @hookimpl
    def patch_model(self, model: Any, phase: Phase) -> None:
        """Have what was made whole written so."""
        if phase == "built":
            write_as_whole(model)
