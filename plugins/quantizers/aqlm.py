"""AQLM: groups of weights as sums of entries of learned codebooks, about two bits a weight.

Egiazarian et al., 2024 (https://arxiv.org/abs/2401.06118);
https://huggingface.co/docs/transformers/quantization/aqlm
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import hookimpl
from luthier.core.model.quantization import Quantizer

if TYPE_CHECKING:
    import torch

    from luthier.core.hooks import Phase, Undo


class Aqlm(Quantizer):
    """Open a model that is stored in AQLM's format."""

    methods: ClassVar = frozenset({"aqlm"})
    packages: ClassVar = ("aqlm>=1.1.7",)
    extra: ClassVar = "aqlm"

    @hookimpl
    def patch_model(self, model: Any, phase: Phase) -> Undo | None:
        """Copy what its layers return.

        An adapter adds to it in place, which torch refuses for what a function of its own returns
        from within `no_grad`.
        """
        if phase == "adapted":
            return None
        from aqlm import QuantizedLinear

        layers = [one for one in model.modules() if isinstance(one, QuantizedLinear)]
        hooks = [one.register_forward_hook(_copied) for one in layers]

        def undo() -> None:
            for hook in hooks:
                hook.remove()

        return undo


def _copied(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    del module, inputs
    return output.clone()
