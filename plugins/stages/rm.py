"""Reward modeling: learn a score of answers, higher for the preferred one of two.

Source: Stiennon et al., 2020, https://arxiv.org/abs/2009.01325; paper, section 3.3. `centering` is
that of Eisenstein et al., 2023, https://arxiv.org/abs/2312.09244.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from luthier.core import hookimpl
from luthier.plugins.stages.pairs import PairStage

if TYPE_CHECKING:
    from luthier.core.model.opening import OpenModel
    from luthier.core.model.value_head import ValueHead
    from luthier.core.run.job import TrainingJob
    from luthier.core.training import Trainer

REWARD = "reward"
"""What the value head of a reward model is called, and its adapter beside another."""


class RewardModeling(PairStage):
    """Train a score of answers on pairs, one of which is preferred."""

    centering: Annotated[float, Field(ge=0)] = 0.0
    """The weight of what keeps the scores of a pair about zero; 0.01 is usual, 0 leaves it out."""

    traits: ClassVar = PairStage.traits | {"scores"}

    @hookimpl
    def build_value_heads(self, opened: OpenModel) -> Mapping[str, ValueHead] | None:
        """Return the head of an earlier reward model that is trained on, or a new one."""
        from luthier.core.model.value_head import new_value_head

        return {REWARD: opened.value_heads.get(REWARD) or new_value_head(opened.model)}

    @hookimpl
    def build_trainer(self, job: TrainingJob) -> Trainer | None:
        """Return the trainer with the mean loss over the pairs of each step."""
        from luthier.plugins.stages.scores import RewardTrainer

        return RewardTrainer(job, self)
