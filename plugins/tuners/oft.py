"""OFT: orthogonal fine-tuning (Qiu et al., 2023, https://arxiv.org/abs/2306.07280).

The inputs of a layer are rotated, y = W R x, by a block-diagonal orthogonal matrix R that is
trained: its blocks are Cayley's form of skew-symmetric ones (https://arxiv.org/abs/2506.19847).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from luthier.core.model.layers import LayerMap
from luthier.plugins.tuners.rotation import RotationTuner


class Oft(RotationTuner):
    """Train a rotation of the inputs of each chosen linear layer."""

    block_size: Annotated[int, Field(ge=2)] = 32
    """The size of a block of the rotation; it divides the number of the layer's inputs."""
    shared: bool = False
    """Use one block for all of a layer."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of blocks that are left as they are in a step."""
    neumann: bool = False
    """Approximate the inverse in Cayley's form by five terms of Neumann's series: faster, and not
    exactly orthogonal."""

    method: ClassVar = "OFT"

    def block(self) -> tuple[str, int, int]:
        """Return the size of a block."""
        return f"`block_size: {self.block_size}`", self.block_size, 0

    def config_of(self, names: list[str], layers: LayerMap, **shared: Any) -> Any:  # noqa: ARG002
        """Return an OFTConfig."""
        from peft import OFTConfig

        return OFTConfig(
            oft_block_size=self.block_size,
            block_share=self.shared,
            module_dropout=self.dropout,
            use_cayley_neumann=self.neumann,
            **shared,
        )
