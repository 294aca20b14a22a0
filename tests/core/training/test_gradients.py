"""Gradients do not depend on how an optimizer step is cut into forward passes."""

import json

import pytest
import torch

import luthier.core.training.trainer as trainer_module
from luthier.core import train

CUTS = [(8, 1), (4, 2), (2, 4), (1, 8)]


def gradients_of(run, monkeypatch):
    """Train a run and return the gradients of each of its optimizer steps."""
    found = []

    class Watching(trainer_module.Trainer):
        def _clip_grad_norm(self, model):
            found.append({n: p.grad.clone() for n, p in model.named_parameters()})
            return super()._clip_grad_norm(model)

    monkeypatch.setattr("luthier.core.training.Trainer", Watching)
    folder = train(run)
    return found, [json.loads(line)["loss"] for line in folder.metrics.read_text().splitlines()]


@pytest.fixture
def stepping(small_run, tmp_path):
    """Runs of one epoch over twelve ragged rows: a window of eight rows, then a short one."""

    def run(batch_size, accumulation):
        return small_run(
            training={
                "epochs": 1, "batch_size": batch_size, "gradient_accumulation": accumulation,
                "learning_rate": 1e-4, "log_every": 1,
            },
            output=str(tmp_path / f"run-{batch_size}x{accumulation}"),
        )  # fmt: skip

    return run


@pytest.fixture
def whole(stepping, monkeypatch):
    return gradients_of(stepping(8, 1), monkeypatch)


@pytest.mark.parametrize(("batch_size", "accumulation"), CUTS[1:])
def test_a_step_in_parts_has_the_gradients_of_the_whole_also_in_a_short_last_window(
    stepping, whole, monkeypatch, batch_size, accumulation
):
    gradients, losses = gradients_of(stepping(batch_size, accumulation), monkeypatch)
    expected, expected_losses = whole
    assert len(gradients) == len(expected) == 2
    for step, of_whole in zip(gradients, expected, strict=True):
        for name, gradient in of_whole.items():
            torch.testing.assert_close(step[name], gradient, atol=1e-5, rtol=0)
    assert losses == pytest.approx(expected_losses, abs=1e-5)


def test_the_logged_loss_of_several_steps_is_the_mean_over_their_tokens(stepping):
    every_step = train(stepping(8, 1))
    run = stepping(8, 1)
    run["training"] = {**run["training"], "log_every": 2}
    run["output"] += "-two"
    both = train(run)
    rows = [json.loads(line) for line in every_step.metrics.read_text().splitlines()]
    last = json.loads(both.metrics.read_text().splitlines()[-1])
    counted = sum(row["loss"] * row["trained_tokens"] for row in rows[1:])
    assert last["loss"] == pytest.approx(counted / sum(r["trained_tokens"] for r in rows[1:]))
    assert last["step"] == 2
