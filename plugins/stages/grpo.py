"""Group relative policy optimization: an answer counts by how it does beside others to its prompt.

Sources: Shao et al., 2024, https://arxiv.org/abs/2402.03300; `loss_mean: tokens` is that of Yu et
al., 2025 (DAPO, https://arxiv.org/abs/2503.14476); without `scale`, Liu et al., 2025 (Dr. GRPO,
https://arxiv.org/abs/2503.20783).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from luthier.core import hookimpl
from luthier.plugins.stages.online import OnlineStage

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob
    from luthier.core.training import Trainer


class GroupRelativePolicy(OnlineStage):
    """Train on groups of answers to one prompt, each by its score beside those of the group."""

    answers: Annotated[int, Field(ge=2)] = 8
    """How many answers are sampled to each prompt."""
    scale: bool = True
    """Divide what an answer has over the mean of its group by the spread of the group."""
    loss_mean: Literal["answers", "tokens"] = "answers"
    """What the loss is the mean of: the answers, each by its tokens' mean, or all tokens alike."""

    @property
    def group_size(self) -> int:
        """How many answers are sampled to each prompt."""
        return self.answers

    @hookimpl
    def build_trainer(self, job: TrainingJob) -> Trainer | None:
        """Return the trainer; one of its steps is a batch of prompts."""
        from luthier.plugins.stages.groups import GroupRelativeTrainer

        return GroupRelativeTrainer(job, self)
