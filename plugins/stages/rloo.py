"""REINFORCE, leave one out: an answer counts by how it does beside the others to its prompt.

Source: Ahmadian et al., 2024, https://arxiv.org/abs/2402.14740, section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from luthier.core import hookimpl
from luthier.plugins.stages.online import OnlineStage

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob
    from luthier.core.training import Trainer


class LeaveOneOut(OnlineStage):
    """Train on answers as wholes, each by its score over the mean of the others to its prompt."""

    answers: Annotated[int, Field(ge=2)] = 4
    """How many answers are sampled to each prompt."""

    @property
    def group_size(self) -> int:
        """How many answers are sampled to each prompt."""
        return self.answers

    @hookimpl
    def build_trainer(self, job: TrainingJob) -> Trainer | None:
        """Return the trainer; one of its steps is a batch of prompts."""
        from luthier.plugins.stages.groups import LeaveOneOutTrainer

        return LeaveOneOutTrainer(job, self)
