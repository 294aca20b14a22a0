"""AQLM: groups of weights as sums of entries of learned codebooks, about two bits a weight.

Egiazarian et al., 2024 (https://arxiv.org/abs/2401.06118);
https://huggingface.co/docs/transformers/quantization/aqlm
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadModel, hookimpl
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

        Raises:
            BadModel: it is to be trained on a CPU, and aqlm has no gradient of it there.
        """
        from aqlm import QuantizedLinear

        layers = [one for one in model.modules() if isinstance(one, QuantizedLinear)]
        if phase == "adapted":
            if any(p.requires_grad for p in model.parameters()):
                _require_gradients(layers)
            return None
        hooks = [one.register_forward_hook(_copied) for one in layers]

        def undo() -> None:
            for hook in hooks:
                hook.remove()

        return undo


def _require_gradients(layers: Sequence[Any]) -> None:
    """Refuse codebooks of 256 entries on a CPU: aqlm turns their codes for its forward pass alone.

    Raises:
        BadModel: a layer has one.
    """
    for layer in layers:
        if layer.codebook_size == TURNED and layer.codes.device.type == "cpu":
            raise BadModel(
                f"aqlm has no gradient for codebooks of {TURNED} entries on a CPU. Train this "
                "model on a GPU, or one with codebooks of another size."
            )


TURNED = 256
"""The size of the codebooks that aqlm has a CPU kernel of its own for."""


def _copied(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    del module, inputs
    return output.clone()
