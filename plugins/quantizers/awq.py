"""AWQ: weights rounded with the columns scaled up that meet large activations.

Lin et al., 2024 (https://arxiv.org/abs/2306.00978). Models that are stored so are opened by
GPTQModel, since AutoAWQ is archived: https://huggingface.co/docs/transformers/quantization/awq
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import hookimpl
from luthier.core.model.quantization import KEY, Quantizer
from luthier.plugins.quantizers.kernels import keep_trainable

if TYPE_CHECKING:
    from luthier.core.hooks import Phase
    from luthier.core.model.loading import LoadPlan


class Awq(Quantizer):
    """Open a model that is stored in AWQ's format, of 4 bits."""

    backend: str = "auto"
    """The kernel, by GPTQModel's name, such as `marlin`, `gemm` or `torch_awq`."""

    methods: ClassVar = frozenset({"awq"})
    packages: ClassVar = ("gptqmodel>=5",)
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
