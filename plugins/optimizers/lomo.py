"""LOMO: gradient descent whose steps are taken in the backward pass (Lv et al., 2023).

Source: https://arxiv.org/abs/2306.09782. It keeps no state and never more than one gradient. The
norm of all gradients is not known in time to clip by it; single values are clipped in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from luthier.core import Plugin, hookimpl
from luthier.plugins.optimizers.rules import (
    BASE_WEIGHTS,
    IN_BACKWARD,
    ON_DEVICE,
    WHOLE_MATRICES,
    Positive,
)

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class Lomo(Plugin):
    """Gradient descent in the backward pass: nothing is held but the weights and one gradient."""

    clip: Positive = 1.0
    """The largest value of a gradient, either way; larger ones are cut down to it."""

    traits: ClassVar = IN_BACKWARD
    serves: ClassVar = "training"
    refuses: ClassVar = (*WHOLE_MATRICES, *ON_DEVICE)
    needs: ClassVar = BASE_WEIGHTS

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return the optimizer."""
        from luthier.core.training import parameter_groups
        from luthier.plugins.optimizers.steps.lomo import Lomo as Fused

        return Fused(parameter_groups(job), layerwise=True, clip=self.clip)
