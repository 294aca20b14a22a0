"""The rewards of a run, asked together: a number for each answer, or which of them gives none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from luthier.core import LuthierError
from luthier.core.problems import counted, shown
from luthier.core.wiring import steps

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob
    from luthier.core.samples import Reward, Sample


class Rewards:
    """Adds up what the rewards of a run give answers."""

    def __init__(self, job: TrainingJob) -> None:
        """Have the run's plugins build them."""
        built = [(step.owner, step.call(job=job)) for step in steps(job.manager, "build_reward")]
        self._named = [(owner, reward) for owner, reward in built if reward is not None]

    def __call__(self, samples: Sequence[Sample]) -> list[float]:
        """Return the summed scores of answers.

        Raises:
            LuthierError: a reward gives something else than a finite number for each.
        """
        found = [_scores(owner, reward, samples) for owner, reward in self._named]
        return [sum(scores) for scores in zip(*found, strict=True)]


def _scores(owner: str, reward: Reward, samples: Sequence[Sample]) -> list[float]:
    given = reward(samples)
    answers = counted(len(samples), "answer", "answers")
    try:
        scores = [float(score) for score in given]
    except (TypeError, ValueError) as fault:
        raise LuthierError(
            f"{owner} was asked for the scores of {answers} and returned {shown(given)}. {_REMEDY}"
        ) from fault
    if len(scores) != len(samples):
        raise LuthierError(
            f"{owner} returned {counted(len(scores), 'score', 'scores')} for {answers}. {_REMEDY}"
        )
    for score, sample in zip(scores, samples, strict=True):
        if not math.isfinite(score):
            raise LuthierError(
                f"{owner} scored the answer {shown(sample.answer)} to {shown(sample.prompt)} "
                f"{score}. {_REMEDY}"
            )
    return scores


_REMEDY = (
    "A reward returns a finite number for each answer, in their order. Mend it or name another, "
    "then go on with `luthier resume`."
)
