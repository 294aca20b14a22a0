"""AQLM: groups of weights as sums of entries of learned codebooks, about two bits a weight.

Egiazarian et al., 2024 (https://arxiv.org/abs/2401.06118);
https://huggingface.co/docs/transformers/quantization/aqlm
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
        """Compute its layers with plain torch on a CPU, and copy what they return elsewhere.

        aqlm has a CPU kernel of its own for codebooks of 256 entries. In 1.1.7 its threads add to
        one place at once, so that its sums are wrong, and it has no gradient. Elsewhere an adapter
        adds to the output in place, which torch refuses for what a function of its own returns from
        within `no_grad`.
        """
        if phase == "adapted":
            return None
        from aqlm import QuantizedLinear

        before = [(m, m.forward) for m in model.modules() if isinstance(m, QuantizedLinear)]
        for layer, forward in before:
            layer.forward = partial(_output, layer, forward)

        def undo() -> None:
            for layer, forward in before:
                layer.forward = forward

        return undo


def _output(layer: Any, forward: Callable[..., torch.Tensor], input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - as torch calls it
    from aqlm.inference_kernels.dequantization import dequantize_gemm

    if input.device.type != "cpu":
        return forward(input).clone()
    return dequantize_gemm(input, layer.codes, layer.codebooks, layer.scales, layer.bias)  # type: ignore[no-any-return]
