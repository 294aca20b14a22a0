"""A reward from a reward model: the run folder that the stage `rm` wrote.

Where it is an adapter on the base model that is trained, the one base model serves as both: its
adapter is laid beside the policy's and switched on to score (paper, section 3.3, "Model-Sharing
RLHF"). Any other is opened as a model of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from luthier.plugins.rewards.weighted import WeightedReward

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob
    from luthier.core.samples import Reward


class RewardModelReward(WeightedReward):
    """Score answers by a model that the stage `rm` trained."""

    path: str
    """The run folder of the stage `rm`."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """How many answers are scored at once."""

    def scorer(self, job: TrainingJob) -> Reward:
        """Return what scores samples, by the base model itself where that can be."""
        from luthier.plugins.rewards.scoring import scorer_of

        return scorer_of(job, self.path, self.batch_size)
