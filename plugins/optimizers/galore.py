"""GaLore: AdamW in a subspace of low rank that is taken from the gradient (Zhao et al., 2024).

Source: https://arxiv.org/abs/2403.03507. The authors' package, galore-torch, keeps objects in its
state that only a pickle stores, and has had no release since its first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from luthier.core import Finding, hookimpl
from luthier.core.model.layers import LayerType
from luthier.plugins.optimizers.rules import (
    Count,
    Positive,
    Projecting,
    eight_bits,
)

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class GaLore(Projecting):
    """AdamW whose moments are those of a gradient of low rank."""

    rank: Count = 128
    """The rank of the subspace."""
    update_interval: Count = 200
    """Steps after which the subspace is taken anew, by a singular value decomposition."""
    scale: Positive = 0.25
    """What an update is multiplied by when it leaves the subspace."""
    side: Literal["shorter", "longer", "left", "right", "both"] = "shorter"
    """Which sides of a matrix are projected."""
    bits: Literal[8, 32] = 32
    """How moments are held: whole, or in 8 bits by bitsandbytes, but for those of an embedding and
    a head that are not projected, and of tensors of less than 4,096 values."""

    @hookimpl
    def check_model(self) -> Iterable[Finding]:
        """Tell of moments of 8 bits without bitsandbytes."""
        return eight_bits(self.bits)

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return AdamW, in a subspace where layers are targets.

        Raises:
            BadModel: a target matches no layer.
        """
        from luthier.plugins.optimizers.steps.galore import GaLore as Projected

        layers = job.opened.layers
        embeddings = set(layers.names_of(LayerType.EMBEDDING, LayerType.HEAD))

        def more(name: str) -> dict[str, Any]:
            eight = self.bits == 8  # noqa: PLR2004 - the other is 32
            return {"whole": layers.layer_of(name) in embeddings} if eight else {}

        return Projected(
            self.groups_of(job, more), layerwise=self.layerwise, side=self.side,
            scale=self.scale, interval=self.update_interval, bits=self.bits,
            betas=self.betas, eps=self.eps,
        )  # fmt: skip
