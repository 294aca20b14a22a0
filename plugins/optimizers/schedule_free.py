"""Schedule-free AdamW: an average of the weights in place of a schedule (Defazio et al., 2024).

Source: https://arxiv.org/abs/2405.15682; its authors' package:
https://github.com/facebookresearch/schedule_free. Gradients are taken between the weights and their
average, and the average is the model that is evaluated and saved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from luthier.core import Plugin, Refusal, hookimpl
from luthier.plugins.optimizers.rules import ON_DEVICE, PLAIN, Decay, Positive

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class ScheduleFree(Plugin):
    """AdamW at a constant learning rate, after the warm-up, that averages the weights."""

    betas: tuple[Annotated[float, Field(gt=0, lt=1)], Decay] = (0.9, 0.999)
    """How near to the average gradients are taken, and how much of the second moment is kept."""
    eps: Positive = 1e-8
    """What is added to the root of the second moment."""

    traits: ClassVar = frozenset({"averages-weights"})
    packages: ClassVar = ("schedulefree>=1.4",)
    extra: ClassVar = "schedule-free"
    serves: ClassVar = "training"
    refuses: ClassVar = (
        *(
            Refusal(trait, "the average would not reach the parts that each process holds", PLAIN)
            for trait in ("shards-weights", "shards-optimizer")
        ),
        *ON_DEVICE,
    )

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return schedulefree's AdamW."""
        from schedulefree import AdamWScheduleFree

        from luthier.core.training import parameter_groups

        found: torch.optim.Optimizer = AdamWScheduleFree(
            parameter_groups(job),
            lr=job.run.training.learning_rate,
            betas=self.betas,
            eps=self.eps,
        )
        return found
