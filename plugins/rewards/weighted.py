"""What rewards share: a weight, by which scores of several are added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from luthier.core import Need, Plugin, hookimpl
from luthier.core.samples import Reward, Sample

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob


class WeightedReward(Plugin):
    """Base of a reward: what `scorer` makes, times a weight."""

    weight: float = 1.0
    """What its scores are multiplied by, before those of several rewards are added."""

    serves: ClassVar = "training"
    traits: ClassVar = frozenset({"reward"})
    needs: ClassVar = (
        Need(
            "samples-answers",
            "the stage has no answers to score",
            "Leave it out, or choose a stage that samples: ppo, grpo or rloo",
        ),
    )

    @hookimpl
    def build_reward(self, job: TrainingJob) -> Reward:
        """Return what scores samples, the weight in it."""
        scores_of = self.scorer(job)

        def weighted(samples: Sequence[Sample]) -> list[float]:
            return [self.weight * score for score in scores_of(samples)]

        return weighted

    def scorer(self, job: TrainingJob) -> Reward:
        """Return what scores samples, without the weight."""
        raise NotImplementedError
