"""What is made of the probabilities, rewards and values of sampled answers, in plain torch.

Shapes: B answers, A tokens of the longest, the others padded on the right; `mask_BA` is 1 for the
tokens of an answer, the one that ended it among them.
"""

from __future__ import annotations

import torch


def masked_mean(values_BA: torch.Tensor, mask_BA: torch.Tensor) -> torch.Tensor:
    """Return the mean over the tokens of answers."""
    return (values_BA * mask_BA).sum() / mask_BA.sum()


def whitened(values_BA: torch.Tensor, mask_BA: torch.Tensor) -> torch.Tensor:
    """Return values of mean 0 and variance 1 over the tokens of answers."""
    centred_BA = values_BA - masked_mean(values_BA, mask_BA)
    variance = masked_mean(centred_BA**2, mask_BA)
    return centred_BA * torch.rsqrt(variance + 1e-8) * mask_BA


def token_rewards(
    scores_B: torch.Tensor, kl_BA: torch.Tensor, mask_BA: torch.Tensor, coefficient: float
) -> torch.Tensor:
    """Return what each token is rewarded with: its share of the KL, and at the end the score.

    Source: Ziegler et al., 2019, https://arxiv.org/abs/1909.08593, equation 2.

    Args:
        scores_B: the scores of answers.
        kl_BA: log-probabilities of the tokens, less those of the reference.
        mask_BA: which tokens there are.
        coefficient: what a nat costs.
    """
    rewards_BA = -coefficient * kl_BA * mask_BA
    last_B1 = mask_BA.long().sum(1, keepdim=True) - 1
    return rewards_BA.scatter_add(1, last_B1, scores_B[:, None].to(rewards_BA))


def advantages(
    rewards_BA: torch.Tensor,
    values_BA: torch.Tensor,
    mask_BA: torch.Tensor,
    gamma: float,
    lambda_: float,
) -> torch.Tensor:
    """Return generalized advantage estimates, the value after the last token being zero.

    Source: Schulman et al., 2015, https://arxiv.org/abs/1506.02438, equations 11 to 16.

    Args:
        rewards_BA: the reward of each token.
        values_BA: the value of what stands before each token.
        mask_BA: which tokens there are.
        gamma: the discount.
        lambda_: what weighs later differences.
    """
    values_BA = values_BA * mask_BA
    found: list[torch.Tensor] = []
    later = next_value = torch.zeros_like(values_BA[:, 0])
    for place in reversed(range(values_BA.shape[1])):
        difference = rewards_BA[:, place] + gamma * next_value - values_BA[:, place]
        later = (difference + gamma * lambda_ * later) * mask_BA[:, place]
        next_value = values_BA[:, place]
        found.append(later)
    return torch.stack(found[::-1], dim=1)


def clipped_surrogate(
    now: torch.Tensor, before: torch.Tensor, advantage: torch.Tensor, clip: float
) -> torch.Tensor:
    """Return -min(r A, clip(r, 1 - c, 1 + c) A) of log-probabilities of any one shape.

    Source: Schulman et al., 2017, https://arxiv.org/abs/1707.06347, equation 7.
    """
    ratio = (now - before).exp()
    return torch.maximum(-advantage * ratio, -advantage * ratio.clamp(1 - clip, 1 + clip))


def clipped_value_loss(
    now: torch.Tensor, before: torch.Tensor, returns: torch.Tensor, clip: float
) -> torch.Tensor:
    """Return half the squared error of values, those that moved far being held back.

    Source: the code of Schulman et al., as told by Huang et al., 2022,
    https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/, detail 9.
    """
    held = before + (now - before).clamp(-clip, clip)
    return 0.5 * torch.maximum((now - returns) ** 2, (held - returns) ** 2)


def kl_estimate(now: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Return the unbiased estimate of the KL that is never negative, of log-probabilities.

    Source: Schulman, 2020, http://joschu.net/blog/kl-approx.html, k3; Shao et al., 2024,
    https://arxiv.org/abs/2402.03300, equation 4.
    """
    gap = reference - now
    return gap.exp() - gap - 1


def group_advantages(scores_B: torch.Tensor, size: int, *, scale: bool) -> torch.Tensor:
    """Return what each score has over the mean of its group, by the spread of that.

    Source: https://arxiv.org/abs/2402.03300, section 4.1.2.

    Args:
        scores_B: the scores, those of a group one after the other.
        size: answers of a group.
        scale: whether it is divided by the spread.
    """
    scores_PG = scores_B.view(-1, size)
    over_PG = scores_PG - scores_PG.mean(1, keepdim=True)
    if scale:
        over_PG = over_PG / (scores_PG.std(1, keepdim=True) + 1e-4)
    return over_PG.flatten()


def leave_one_out(scores_B: torch.Tensor, size: int) -> torch.Tensor:
    """Return what each score has over the mean of the others of its group.

    Source: https://arxiv.org/abs/2402.14740, equation 7.
    """
    scores_PG = scores_B.view(-1, size)
    others_PG = (scores_PG.sum(1, keepdim=True) - scores_PG) / (size - 1)
    return (scores_PG - others_PG).flatten()
