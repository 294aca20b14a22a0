"""GPTQ: weights rounded one after the other, each error made up for by those that follow.

Frantar et al., 2023 (https://arxiv.org/abs/2210.17323). Models that are stored so are opened by
GPTQModel, since AutoGPTQ is archived: https://huggingface.co/docs/transformers/quantization/gptq
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import hookimpl
from luthier.core.model.quantization import KEY, Quantizer
from luthier.plugins.quantizers.kernels import keep_trainable

if TYPE_CHECKING:
    from luthier.core.hooks import Phase
    from luthier.core.model.loading import LoadPlan


class Gptq(Quantizer):
    """Open a model that is stored in GPTQ's format, of 2, 3, 4 or 8 bits."""

    backend: str = "auto"
    """The kernel, by GPTQModel's name, such as `marlin`, `triton` or `torch`."""

    methods: ClassVar = frozenset({"gptq"})
    packages: ClassVar = ("gptqmodel>=5", "optimum>=2")
    extra: ClassVar = "gptq"

    @hookimpl
    def plan_load(self, plan: LoadPlan) -> None:
        """Choose the kernel; all else is the stored model's."""
        plan.change_config(KEY, {**(plan.stored or {}), "backend": self.backend})

    @hookimpl
    def patch_model(self, model: Any, phase: Phase) -> None:
        """Keep layers to the kernel that has a gradient, where something is trained."""
        if phase == "adapted":
            keep_trainable(model)
