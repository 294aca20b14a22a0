"""A verifiable reward: whether an answer is the one that the data has.

Source: reinforcement learning with verifiable rewards (Lambert et al., 2024,
https://arxiv.org/abs/2411.15124, section 6).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import field_validator

from luthier.plugins.rewards.weighted import WeightedReward

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob
    from luthier.core.samples import Reward


class MatchesReward(WeightedReward):
    """Score 1 where an answer says what the row's own answer says, and else 0."""

    pattern: str = ""
    """A regular expression that finds what is compared: its last match, or the first group of that;
    without one the whole answers are, but for spaces around them."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as fault:
            raise ValueError(f"{pattern!r} is no regular expression: {fault}") from None
        return pattern

    def scorer(self, job: TrainingJob) -> Reward:  # noqa: ARG002
        """Return what compares answers with those of the data."""

        def scored(answer: str, reference: str) -> float:
            said = self.said(answer)
            return float(said is not None and said == self.said(reference))

        return lambda samples: [scored(one.answer, one.reference) for one in samples]

    def said(self, text: str) -> str | None:
        """Return what of a text is compared; None where the pattern finds nothing."""
        if not self.pattern:
            return text.strip()
        *_, last = [None, *re.finditer(self.pattern, text)]
        return None if last is None else (last[1] if last.re.groups else last[0])
