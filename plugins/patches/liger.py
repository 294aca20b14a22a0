"""Liger kernels: rotary positions, norms and MLPs, each as one Triton kernel.

Source: Hsu et al., 2024, https://arxiv.org/abs/2410.10989; https://github.com/linkedin/Liger-Kernel.
What it has for a model is applied by its own function, the one that transformers' Trainer calls.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadModel, Need, Plugin, hookimpl

if TYPE_CHECKING:
    from luthier.core.hooks import Phase, Undo


class Liger(Plugin):
    """Compute rotary positions, norms and MLPs with the kernels of liger-kernel."""

    rope: bool = True
    """Whether rotary positions are computed with its kernel."""
    norms: bool = True
    """Whether norms are."""
    mlp: bool = True
    """Whether MLPs are: what stands between their matrices."""

    packages: ClassVar = ("liger-kernel>=0.6",)
    extra: ClassVar = "liger"
    serves: ClassVar = "training"
    needs: ClassVar = (Need("device-gpu", "its kernels are compiled for a GPU", "Leave it out"),)

    @hookimpl
    def patch_model(self, model: Any, phase: Phase) -> Undo | None:
        """Have liger-kernel put its kernels into the model, and into transformers' module of it.

        Its loss stays out: the logits go to the loss of the stage.

        Raises:
            BadModel: it has none for models of this type.
        """
        if phase == "adapted":
            return None
        from liger_kernel.transformers import _apply_liger_kernel_to_instance
        from liger_kernel.transformers.monkey_patch import MODEL_TYPE_TO_APPLY_LIGER_FN

        kind = model.config.model_type
        if kind not in MODEL_TYPE_TO_APPLY_LIGER_FN:
            there = ", ".join(sorted(MODEL_TYPE_TO_APPLY_LIGER_FN))
            raise BadModel(
                f"liger-kernel has no kernels for models of the type {kind}. Leave liger out, or "
                f"choose a model of one of: {there}."
            )
        before = [(held, dict(held)) for held in _attributes(model)]
        _apply_liger_kernel_to_instance(model=model, **self._arguments())
        changes = [(held, changed) for held, old in before if (changed := _changed(held, old))]

        def undo() -> None:
            for held, changed in changes:
                for name, value in changed.items():
                    if value is _ABSENT:
                        del held[name]
                    else:
                        held[name] = value

        return undo

    def _arguments(self) -> dict[str, bool]:
        """Return what the package is to apply; it leaves out what it has not for a model."""
        return {
            "rope": self.rope,
            "rms_norm": self.norms,
            "layer_norm": self.norms,
            "swiglu": self.mlp,
            "geglu": self.mlp,
            "relu_squared": self.mlp,
            "cross_entropy": False,
            "fused_linear_cross_entropy": False,
        }


_ABSENT = object()


def _attributes(model: Any) -> Iterator[dict[str, Any]]:
    """Go through all attributes that may be changed: of the model's modules, and of its code."""
    for module in model.modules():
        yield vars(module)
    for name, code in list(sys.modules.items()):
        if name.startswith("transformers.models.") and ".modeling_" in name:
            yield vars(code)


def _changed(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values before of what is another now, and of what was not there."""
    return {
        name: before.get(name, _ABSENT)
        for name, value in now.items()
        if before.get(name, _ABSENT) is not value
    }
