"""Adafactor: a matrix keeps a row and a column of second moments (Shazeer and Stern, 2018).

Source: https://arxiv.org/abs/1804.04235; transformers', with the rate of the run:
https://huggingface.co/docs/transformers/main_classes/optimizer_schedules#transformers.Adafactor
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from luthier.core import Plugin, hookimpl
from luthier.plugins.optimizers.rules import ON_DEVICE, WHOLE_MATRICES, Decay, Positive

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob


class Adafactor(Plugin):
    """Adam without a first moment, the second one factored into rows and columns."""

    clip: Positive = 1.0
    """The largest root mean square of an update; a larger one is scaled down to it."""
    decay_exponent: Annotated[float, Field(gt=0, le=1)] = 0.8
    """The second moment keeps 1 - step^-exponent of itself."""
    momentum: Decay | None = None
    """How much of the mean of updates is kept at each step; there is none where not given."""

    serves: ClassVar = "training"
    refuses: ClassVar = (*WHOLE_MATRICES, *ON_DEVICE)

    @hookimpl
    def build_optimizer(self, job: TrainingJob) -> torch.optim.Optimizer | None:
        """Return transformers' Adafactor."""
        from luthier.core.training import parameter_groups
        from luthier.plugins.optimizers.steps.adafactor import Adafactor as Factored

        return Factored(  # type: ignore[no-untyped-call]
            parameter_groups(job),
            lr=job.run.training.learning_rate,
            clip_threshold=self.clip,
            decay_rate=-self.decay_exponent,
            beta1=self.momentum,
            scale_parameter=False,
            relative_step=False,
        )
