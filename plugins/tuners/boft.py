"""BOFT: orthogonal fine-tuning by butterfly factors (Liu et al., 2023).

Source: https://arxiv.org/abs/2311.06243. The outputs of a layer are rotated by a product of sparse
orthogonal matrices, between which inputs change places as in a fast Fourier transform.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import BadModel, Need, Refusal, hookimpl
from luthier.core.model.layers import LayerMap
from luthier.core.model.vocabulary import Vocabulary
from luthier.plugins.tuners.rotation import RotationTuner

if TYPE_CHECKING:
    from torch import nn


class Boft(RotationTuner):
    """Train a rotation of each chosen linear layer, as a product of sparse ones."""

    block_size: Annotated[int, Field(ge=2)] = 4
    """The size of a block of each factor; times 2 for each factor beyond the first, it divides the
    number of the layer's inputs."""
    factors: Annotated[int, Field(ge=1)] = 1
    """How many factors there are; more than one need PEFT's kernel, compiled for CUDA."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of blocks that are left as they are in a step."""

    method: ClassVar = "BOFT"
    scales: ClassVar = frozenset({"boft_s"})
    refuses: ClassVar = (
        Refusal(
            "quantized", "PEFT rotates whole weights", "Leave the quantizer out, or choose `oft`"
        ),
    )

    def rules_of_options(self) -> tuple[Refusal | Need, ...]:
        """Return what several factors need."""
        reason = f"PEFT has `factors: {self.factors}` in a kernel for CUDA alone"
        return (Need("device-cuda", reason, "Set `factors: 1`"),) if self.factors > 1 else ()

    def block(self) -> tuple[str, int, int]:
        """Return the size of a block, which each factor beyond the first mixes with another."""
        said = f"`block_size: {self.block_size}`"
        if self.factors > 1:
            said += f" with `factors: {self.factors}`"
        return said, self.block_size, self.factors - 1

    @hookimpl
    def attach_adapter(
        self, model: Any, layers: LayerMap, vocabulary: Vocabulary, adapter: Path | None
    ) -> nn.Module | None:
        """Return the model wrapped by PEFT, as many factors as were asked for in each layer.

        Raises:
            BadModel: PEFT has no kernel for more than one here.
        """
        adapted = super().attach_adapter(model, layers, vocabulary, adapter)
        made = {
            len(tensor)
            for name, tensor in adapted.named_parameters()  # type: ignore[union-attr]
            if ".boft_R." in name
        }
        if adapter is None and made != {self.factors}:
            raise BadModel(
                f"PEFT's kernel for `factors: {self.factors}` cannot be compiled here: it needs "
                "CUDA's compiler and ninja. Set `factors: 1`."
            )
        return adapted

    def config_of(self, names: list[str], layers: LayerMap, **shared: Any) -> Any:  # noqa: ARG002
        """Return a BOFTConfig."""
        from peft import BOFTConfig

        return BOFTConfig(
            boft_block_size=self.block_size,
            boft_n_butterfly_factor=self.factors,
            boft_dropout=self.dropout,
            **shared,
        )
