"""The trainer of PPO. A sibling of the plugin, since it needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.plugins.stages.policies import (
    advantages,
    clipped_surrogate,
    clipped_value_loss,
    masked_mean,
    token_rewards,
    whitened,
)
from luthier.plugins.stages.ppo import VALUE
from luthier.plugins.stages.rollouts import RolloutTrainer
from luthier.plugins.stages.sampled import Rollout, Told

if TYPE_CHECKING:
    import torch

    from luthier.core.run.job import TrainingJob
    from luthier.plugins.stages.ppo import ProximalPolicy

MOST = 0.2
"""The relative error of the KL that counts at most (Ziegler et al., 2019, section 2.2)."""


class ProximalTrainer(RolloutTrainer):
    """Trains a policy and its values; the advantage of a token is what they did not expect."""

    head = VALUE

    def __init__(self, job: TrainingJob, stage: ProximalPolicy) -> None:
        """Set up the loop; the coefficient of the KL may be steered from here on."""
        if stage.kl_target is not None:
            self.means = (*self.means, "kl_coefficient")
        super().__init__(job, stage)
        self.kl_coefficient = stage.kl_coefficient
        self.scores = RunningSpread()

    def weigh(self, rollout: Rollout) -> None:
        """Fill in whitened advantages of rewards that the KL is taken off."""
        stage, mask_BA = self.stage, rollout.mask
        rewards_BA = token_rewards(
            self._counted(rollout.scores), rollout.kl, mask_BA, self.kl_coefficient
        )
        rollout.advantages = advantages(
            rewards_BA, rollout.values, mask_BA, stage.gamma, stage.gae_lambda
        )
        if stage.kl_target is not None:
            kl = float(self.accelerator.reduce(rollout.kl.sum(1).mean(), "mean"))
            answers = len(rollout) * self.accelerator.num_processes
            self.kl_coefficient *= steered(kl, stage.kl_target, answers / stage.kl_horizon)

    def standing(self) -> tuple[float, ...]:
        """Return the coefficient of the KL, if it is steered, as the last step left it."""
        return () if self.stage.kl_target is None else (self.kl_coefficient,)

    def _counted(self, scores_B: torch.Tensor) -> torch.Tensor:
        """Return scores as they count: normalized and clipped, where the stage says so."""
        if self.stage.normalize_scores:
            scores_B = self.scores.normalized(self.accelerator.gather(scores_B), scores_B)
        limit = self.stage.clip_scores
        return scores_B if limit is None else scores_B.clip(-limit, limit)

    def loss_of(self, told: Told, rollout: Rollout) -> torch.Tensor:
        """Return the loss of the policy and, with its weight, that of the values."""
        assert told.values is not None  # noqa: S101 - there is a head
        stage, mask_BA = self.stage, rollout.mask
        returns_BA = rollout.advantages + rollout.values
        advantages_BA = whitened(rollout.advantages, mask_BA)
        policy_BA = clipped_surrogate(told.logps, rollout.logps, advantages_BA, stage.clip_range)
        value_BA = clipped_value_loss(told.values, rollout.values, returns_BA, stage.clip_range)
        return masked_mean(policy_BA + stage.value_weight * value_BA, mask_BA)

    def stage_state(self) -> dict[str, Any]:
        """Return the coefficient of the KL, and the spread of the scores so far."""
        return {"kl_coefficient": self.kl_coefficient, "scores": self.scores.state()}

    def restore_stage(self, state: dict[str, Any]) -> None:
        """Go on with them."""
        self.kl_coefficient = state["kl_coefficient"]
        self.scores = RunningSpread(**state["scores"])


def steered(kl: float, target: float, share: float) -> float:
    """Return what the coefficient of the KL is multiplied by: from 0.8 to 1.2.

    Source: Ziegler et al., 2019, https://arxiv.org/abs/1909.08593, section 2.2.

    Args:
        kl: the nats of an answer, on average.
        target: what they are to be.
        share: how much of the horizon has gone by with these answers; all of it at most, as the
            coefficient would be turned to the other sign by many at once.
    """
    error = min(max(kl / target - 1, -MOST), MOST)
    return 1 + error * min(share, 1)


class RunningSpread:
    """Mean and spread of all numbers seen so far.

    Source: Chan et al., 1979, "Updating formulae and a pairwise algorithm for computing sample
    variances".
    """

    def __init__(self, count: int = 0, mean: float = 0.0, squares: float = 0.0) -> None:
        """Go on from what `state` told, or begin."""
        self.count, self.mean, self.squares = count, mean, squares

    def state(self) -> dict[str, Any]:
        """Return what it is made of."""
        return {"count": self.count, "mean": self.mean, "squares": self.squares}

    def normalized(self, seen: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return scores by the mean and the spread of all that were seen, these among them.

        Args:
            seen: what is seen now, on all processes.
            scores: those that are wanted.
        """
        seen = seen.double()
        count = self.count + len(seen)
        gap = float(seen.mean()) - self.mean
        self.squares += float(((seen - seen.mean()) ** 2).sum())
        self.squares += gap**2 * self.count * len(seen) / count
        self.mean += gap * len(seen) / count
        self.count = count
        spread = (self.squares / max(count - 1, 1)) ** 0.5
        normalized: torch.Tensor = (scores - self.mean) / (spread + 1e-8)
        return normalized
