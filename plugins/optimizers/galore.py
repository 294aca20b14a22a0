"""GaLore: AdamW in a subspace of low rank that is taken from the gradient (Zhao et al., 2024).

Source: https://arxiv.org/abs/2403.03507. The authors' package, galore-torch, keeps objects in its
state that only a pickle stores, and has had no release since its first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from luthier.core import Finding, hookimpl
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
    """How moments are held: whole, or in 8 bits by bitsandbytes."""

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

        return Projected(
            self.groups_of(job), layerwise=self.layerwise, side=self.side,
            scale=self.scale, interval=self.update_interval, bits=self.bits,
            betas=self.betas, eps=self.eps,
        )  # fmt: skip
