"""APOLLO: the gradient, scaled by what AdamW does to a random projection of it (Zhu et al., 2024).

Source: https://arxiv.org/abs/2412.05270. APOLLO-Mini is `{rank: 1, per: tensor, scale: 11.3}`. The
authors' package, apollo-torch, keeps objects in its state that only a pickle stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from luthier.core import hookimpl
from luthier.plugins.optimizers.rules import (
    Count,
    Positive,
    Projecting,
)

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class Apollo(Projecting):
    """AdamW's scaling from moments of low rank: about the memory of plain gradient descent."""

    rank: Count = 256
    """The rank of the projection; 1 is APOLLO-Mini's."""
    update_interval: Count = 200
    """Steps after which another projection is drawn."""
    scale: Positive = 1.0
    """What updates are multiplied by; APOLLO-Mini takes the root of 128."""
    per: Literal["channel", "tensor"] = "channel"
    """Whether each channel of a matrix has a scale of its own, or all of it one."""
    growth: Positive = 1.01
    """How many times longer an update of a matrix may be than the last one."""

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return the optimizer; what is no target is trained by AdamW.

        Raises:
            BadModel: a target matches no layer.
        """
        from luthier.plugins.optimizers.steps.apollo import Apollo as Scaled

        return Scaled(
            self.groups_of(job), seed=job.run.training.seed, layerwise=self.layerwise,
            interval=self.update_interval, scale=self.scale, per=self.per, growth=self.growth,
            betas=self.betas, eps=self.eps,
        )  # fmt: skip
