"""The losses of stages that sample, as wholes, against plain computations in float64."""

import math
from itertools import chain

import pytest
import torch

from luthier.plugins.stages.sampled import Rollout, Told

LENGTHS = (5, 2, 3, 1)
CLIP, KL = 0.2, 0.3
generator = torch.Generator().manual_seed(3)


def drawn(scale=1.0):
    """Return numbers for the tokens of four answers, zero behind their ends."""
    numbers = torch.randn(4, 5, dtype=torch.float64, generator=generator) * scale
    return torch.stack(
        [row * (torch.arange(5) < n) for row, n in zip(numbers, LENGTHS, strict=True)]
    )


MASK = torch.stack([(torch.arange(5) < n).long() for n in LENGTHS])
BEFORE = drawn() - 3 * MASK
NOW, REFERENCE = BEFORE + drawn(0.4), BEFORE + drawn(0.4)
# a value head tells something of pads, too
VALUES, gap = torch.randn(2, 4, 5, dtype=torch.float64, generator=generator)
VALUES_NOW = VALUES + 0.4 * gap
SCORES = torch.tensor([2.5, -0.3, 0.4, -4.0], dtype=torch.float64)


def loss_by(trainer):
    nothing = torch.zeros(4, 5, dtype=torch.float64)
    rollout = Rollout(
        ids=torch.zeros(4, 9, dtype=torch.long), seen=torch.ones(4, 9, dtype=torch.long), mask=MASK,
        scores=SCORES, logps=BEFORE, reference=REFERENCE, values=VALUES, entropy=nothing,
        advantages=nothing,
    )  # fmt: skip
    trainer.weigh(rollout)
    return trainer.loss_of(Told(NOW, VALUES_NOW, nothing), rollout).item()


def tokens(values):
    """Return the numbers of each answer's tokens."""
    return [row[:n].tolist() for row, n in zip(values, LENGTHS, strict=True)]


def surrogate(now, before, advantage):
    """Of https://arxiv.org/abs/1707.06347, equation 7, negated."""
    ratio = math.exp(now - before)
    return -min(ratio * advantage, min(max(ratio, 1 - CLIP), 1 + CLIP) * advantage)


def mean(numbers):
    return sum(numbers) / len(numbers)


def close(expected):
    return pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("limit", [None, 1.5])
def test_the_loss_of_ppo_is_that_of_its_papers(sampled_run, trainer_of, limit):
    gamma, lambda_, weight = 0.9, 0.7, 0.25
    options = {
        "kl_coefficient": KL, "clip_range": CLIP, "gamma": gamma, "gae_lambda": lambda_,
        "value_weight": weight, "clip_scores": limit,
    }  # fmt: skip
    found = loss_by(trainer_of(sampled_run(options=options)))
    over, returns = [], []
    scores = [s if limit is None else min(max(s, -limit), limit) for s in SCORES.tolist()]
    for score, before, reference, values in zip(
        scores, *map(tokens, (BEFORE, REFERENCE, VALUES)), strict=True
    ):
        # https://arxiv.org/abs/1909.08593, equation 2, and https://arxiv.org/abs/1506.02438, 16
        rewards = [-KL * (b - r) for b, r in zip(before, reference, strict=True)]
        rewards[-1] += score
        later = [*values[1:], 0.0]
        errors = [r + gamma * n - v for r, n, v in zip(rewards, later, values, strict=True)]
        own = [
            sum((gamma * lambda_) ** (k - t) * errors[k] for k in range(t, len(errors)))
            for t in range(len(errors))
        ]
        over += own
        returns += [a + v for a, v in zip(own, values, strict=True)]
    middle = mean(over)
    spread = math.sqrt(mean([(a - middle) ** 2 for a in over]) + 1e-8)
    flat = [[*chain(*tokens(one))] for one in (NOW, BEFORE, VALUES_NOW, VALUES)]
    losses = []
    for a, target, now, before, value, held in zip(over, returns, *flat, strict=True):
        clipped = min(max(value, held - CLIP), held + CLIP)
        squared = max((value - target) ** 2, (clipped - target) ** 2) / 2
        losses.append(surrogate(now, before, (a - middle) / spread) + weight * squared)
    assert found == close(mean(losses))


def test_a_score_counts_up_to_its_limit_to_both_sides(sampled_run, trainer_of):
    trainer = trainer_of(sampled_run(options={"clip_scores": 1.5}))
    assert trainer._counted(SCORES).tolist() == [1.5, -0.3, 0.4, -1.5]


@pytest.mark.parametrize("of", ["answers", "tokens"])
@pytest.mark.parametrize("scale", [True, False])
def test_the_loss_of_grpo_is_that_of_its_papers(sampled_run, trainer_of, of, scale):
    options = {
        "answers": 2, "kl_coefficient": KL, "clip_range": CLIP, "loss_mean": of, "scale": scale,
    }  # fmt: skip
    found = loss_by(trainer_of(sampled_run("grpo", options=options)))
    losses = []
    for n, (now, before, reference) in enumerate(
        zip(*map(tokens, (NOW, BEFORE, REFERENCE)), strict=True)
    ):
        group = SCORES[n // 2 * 2 : n // 2 * 2 + 2].tolist()
        middle = mean(group)
        spread = math.sqrt(sum((s - middle) ** 2 for s in group)) + 1e-4  # of one fewer than two
        over = (SCORES[n].item() - middle) / (spread if scale else 1)
        # https://arxiv.org/abs/2402.03300, equations 3 and 4
        losses.append([
            surrogate(a, b, over) + KL * (math.exp(r - a) - (r - a) - 1)
            for a, b, r in zip(now, before, reference, strict=True)
        ])  # fmt: skip
    assert found == close(mean([*chain(*losses)] if of == "tokens" else [*map(mean, losses)]))


def test_the_loss_of_rloo_is_that_of_its_paper(sampled_run, trainer_of):
    options = {"answers": 2, "kl_coefficient": KL, "clip_range": CLIP}
    found = loss_by(trainer_of(sampled_run("rloo", options=options)))
    now, before, reference = ([sum(of) for of in tokens(one)] for one in (NOW, BEFORE, REFERENCE))
    # https://arxiv.org/abs/2402.14740, section 3 and equation 7
    scores = SCORES.tolist()
    rewards = [s - KL * (b - r) for s, b, r in zip(scores, before, reference, strict=True)]
    over = [rewards[n] - rewards[n ^ 1] for n in range(4)]
    assert found == close(mean([surrogate(*of) for of in zip(now, before, over, strict=True)]))
