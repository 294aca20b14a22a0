"""The trainers that compare answers to one prompt. A sibling of their plugins: it needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.plugins.stages.policies import (
    clipped_surrogate,
    group_advantages,
    kl_estimate,
    leave_one_out,
    masked_mean,
)
from luthier.plugins.stages.rollouts import RolloutTrainer
from luthier.plugins.stages.sampled import Rollout, Told

if TYPE_CHECKING:
    import torch


class GroupRelativeTrainer(RolloutTrainer):
    """Trains each token by how its answer did in its group; the KL is a part of the loss."""

    def weigh(self, rollout: Rollout) -> None:
        """Fill in the advantage of each answer at all of its tokens."""
        stage = self.stage
        over_B = group_advantages(rollout.scores, stage.group_size, scale=stage.scale)
        rollout.advantages = over_B[:, None] * rollout.mask

    def loss_of(self, told: Told, rollout: Rollout) -> torch.Tensor:
        """Return the mean over answers, or over tokens."""
        stage, mask_BA = self.stage, rollout.mask
        loss_BA = clipped_surrogate(told.logps, rollout.logps, rollout.advantages, stage.clip_range)
        if stage.kl_coefficient:
            kl_BA = kl_estimate(told.logps, rollout.reference)
            loss_BA = loss_BA + stage.kl_coefficient * kl_BA
        if stage.loss_mean == "tokens":
            return masked_mean(loss_BA, mask_BA)
        return ((loss_BA * mask_BA).sum(1) / mask_BA.sum(1)).mean()


class LeaveOneOutTrainer(RolloutTrainer):
    """Trains answers as wholes; the KL is taken off their scores."""

    def weigh(self, rollout: Rollout) -> None:
        """Fill in the advantage of each answer at all of its tokens."""
        rewards_B = rollout.scores - self.stage.kl_coefficient * rollout.kl.sum(1)
        over_B = leave_one_out(rewards_B, self.stage.group_size)
        rollout.advantages = over_B[:, None] * rollout.mask

    def loss_of(self, told: Told, rollout: Rollout) -> torch.Tensor:
        """Return the mean over answers, the ratio being that of their whole probabilities."""
        now_B, before_B = told.logps.sum(1), rollout.logps.sum(1)
        over_B = rollout.advantages[:, 0]
        return clipped_surrogate(now_B, before_B, over_B, self.stage.clip_range).mean()
