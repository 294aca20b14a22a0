"""A programmatic reward: whether an answer contains a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from luthier.plugins.rewards.weighted import WeightedReward

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob
    from luthier.core.samples import Reward


class ContainsReward(WeightedReward):
    """Score 1 where an answer contains a text, and else 0."""

    text: Annotated[str, Field(min_length=1)]
    """What an answer is to contain."""
    ignore_case: bool = False
    """Whether it may be written in capitals or small letters alike."""

    def scorer(self, job: TrainingJob) -> Reward:  # noqa: ARG002
        """Return what looks for the text."""
        wanted = self.text.casefold() if self.ignore_case else self.text

        def found(answer: str) -> float:
            return float(wanted in (answer.casefold() if self.ignore_case else answer))

        return lambda samples: [found(sample.answer) for sample in samples]
