"""What is made of sampled answers, in the terms of the papers that it is taken from."""

import math

import pytest
import torch

from luthier.plugins.stages.policies import (
    advantages,
    clipped_surrogate,
    clipped_value_loss,
    group_advantages,
    kl_estimate,
    leave_one_out,
    masked_mean,
    token_rewards,
    whitened,
)
from luthier.plugins.stages.proximal import RunningSpread, steered

generator = torch.Generator().manual_seed(0)
MASK = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1]]).double()
VALUES, REWARDS, NOW, BEFORE = torch.randn(4, 3, 5, dtype=torch.float64, generator=generator)


def test_advantages_are_the_sums_of_later_differences():
    """Of https://arxiv.org/abs/1506.02438, equation 16: sums of discounted TD errors."""
    gamma, lambda_ = 0.9, 0.7
    found = advantages(REWARDS * MASK, VALUES, MASK, gamma, lambda_)
    for row, length in enumerate(MASK.sum(1).long().tolist()):
        values = [*VALUES[row, :length].tolist(), 0.0]
        errors = [REWARDS[row, t] + gamma * values[t + 1] - values[t] for t in range(length)]
        for t in range(length):
            wanted = sum((gamma * lambda_) ** (n - t) * errors[n] for n in range(t, length))
            assert found[row, t].item() == pytest.approx(wanted.item(), abs=1e-9)
        assert not found[row, length:].any()


def test_a_policy_loss_is_clipped_as_the_paper_does():
    """Of https://arxiv.org/abs/1707.06347, equation 7, negated."""
    ratio = torch.exp(NOW) / torch.exp(BEFORE)
    clipped = torch.clip(ratio, 0.8, 1.2)
    wanted = -torch.min(ratio * REWARDS, clipped * REWARDS)
    found = clipped_surrogate(NOW, BEFORE, REWARDS, 0.2)
    torch.testing.assert_close(found, wanted, atol=1e-9, rtol=1e-9)
    assert (found != -ratio * REWARDS).any()


def test_a_value_loss_is_clipped_where_values_move_far():
    held = torch.min(torch.max(NOW, BEFORE - 0.2), BEFORE + 0.2)
    wanted = 0.5 * torch.max((NOW - REWARDS) ** 2, (held - REWARDS) ** 2)
    found = clipped_value_loss(NOW, BEFORE, REWARDS, 0.2)
    torch.testing.assert_close(found, wanted, atol=1e-9, rtol=1e-9)


def test_a_token_is_rewarded_for_its_share_of_the_kl_and_the_last_one_with_the_score():
    scores = torch.tensor([3.0, -1.0, 2.0], dtype=torch.float64)
    found = token_rewards(scores, NOW - BEFORE, MASK, 0.1)
    for row, length in enumerate(MASK.sum(1).long().tolist()):
        for t in range(5):
            wanted = -0.1 * (NOW - BEFORE)[row, t] * MASK[row, t]
            wanted = wanted + (scores[row] if t == length - 1 else 0)
            assert found[row, t].item() == pytest.approx(wanted.item(), abs=1e-9)


def test_whitening_counts_the_tokens_of_answers_alone():
    found = whitened(REWARDS, MASK)[MASK.bool()]
    assert found.mean().item() == pytest.approx(0, abs=1e-9)
    assert found.std(correction=0).item() == pytest.approx(1, abs=1e-6)
    assert masked_mean(REWARDS, MASK).item() == pytest.approx(REWARDS[MASK.bool()].mean().item())


def test_the_kl_is_estimated_without_bias_and_never_below_zero():
    logits = torch.randn(2, 9, dtype=torch.float64, generator=generator)
    now, reference = logits.log_softmax(-1)
    exact = (now.exp() * (now - reference)).sum()
    estimates = kl_estimate(now, reference)
    assert (estimates >= 0).all()
    assert (now.exp() * estimates).sum().item() == pytest.approx(exact.item(), abs=1e-9)


def test_an_answer_is_weighed_by_its_group():
    scores = torch.tensor([1.0, 2.0, 4.0, 5.0, 5.0, 5.0], dtype=torch.float64)
    plain = group_advantages(scores, 3, scale=False)
    torch.testing.assert_close(
        plain, torch.tensor([-4 / 3, -1 / 3, 5 / 3, 0, 0, 0], dtype=torch.float64)
    )
    spread = math.sqrt(((4 / 3) ** 2 + (1 / 3) ** 2 + (5 / 3) ** 2) / 2)
    scaled = group_advantages(scores, 3, scale=True)
    torch.testing.assert_close(scaled, plain / (spread + 1e-4), atol=1e-9, rtol=1e-9)


def test_an_answer_is_compared_with_all_others_of_its_group():
    scores = torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64)
    wanted = torch.tensor([1 - 4.0, 2 - 3.5, 6 - 1.5], dtype=torch.float64)
    torch.testing.assert_close(leave_one_out(scores, 3), wanted)


def test_the_cost_of_leaving_the_reference_is_steered_to_its_target():
    """Of https://arxiv.org/abs/1909.08593, section 2.2."""
    assert steered(6.0, 6.0, 0.1) == 1
    assert steered(6.6, 6.0, 0.1) == pytest.approx(1 + 0.1 * 0.1)
    assert steered(60.0, 6.0, 0.1) == pytest.approx(1 + 0.2 * 0.1)
    assert steered(0.0, 6.0, 0.1) == pytest.approx(1 - 0.2 * 0.1)
    assert steered(0.0, 0.5, 6.4) == pytest.approx(0.8)  # many answers at once turn no sign
    assert steered(9.0, 0.5, 6.4) == pytest.approx(1.2)


def test_scores_are_normalized_by_all_that_were_seen():
    spread = RunningSpread()
    parts = (torch.randn(16, dtype=torch.float64, generator=generator) * 3 + 5).split([1, 4, 11])
    for part in parts:
        found = spread.normalized(part, part)
    seen = torch.cat(parts)
    wanted = (parts[-1] - seen.mean()) / seen.std()
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-6)
    assert RunningSpread(**spread.state()).state() == spread.state()
