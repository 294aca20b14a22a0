"""Lion: a step of one size in each value, by the sign of a mean of gradients (Chen et al., 2023).

Source: https://arxiv.org/abs/2302.06675, algorithm 2. Its learning rate wants to be 3 to 10 times
smaller than AdamW's, and its weight decay as many times larger (section 5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luthier.core import Plugin, hookimpl
from luthier.plugins.optimizers.rules import ON_DEVICE, Betas

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class Lion(Plugin):
    """Steps by the sign of a mean of gradients: one moment in place of AdamW's two."""

    betas: Betas = (0.9, 0.99)
    """How much of the mean counts beside the newest gradient, and how much of it is kept."""

    serves: ClassVar = "training"
    refuses: ClassVar = ON_DEVICE

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return the optimizer."""
        from luthier.core.training import parameter_groups
        from luthier.plugins.optimizers.steps.lion import Lion as Signed

        return Signed(parameter_groups(job), betas=self.betas)
