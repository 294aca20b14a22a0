"""Dynamic Fine-Tuning: a token counts for as much as it was likely, however batches are laid."""

import json

import pytest
import torch
from torch.nn.functional import cross_entropy

from luthier.core import train
from luthier.core.templates import IGNORED
from luthier.core.training.recording import read_metrics
from luthier.plugins.stages.answers import token_log_probabilities
from luthier.plugins.stages.dynamic import dynamic_loss


def test_the_loss_and_its_gradient_are_those_of_the_paper():
    logits = torch.randn(2, 6, 7, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[IGNORED, 1, 2, IGNORED, 0, 6], [IGNORED, IGNORED, 3, 4, 5, IGNORED]])
    targets = labels[:, 1:].flatten()
    losses = cross_entropy(logits[:, :-1].flatten(0, 1), targets, reduction="none")
    weights = (-losses.detach()).exp() * (targets != IGNORED)
    (expected,) = torch.autograd.grad((weights * losses).sum(), logits)
    found = dynamic_loss(token_log_probabilities(logits, labels)).sum()
    torch.testing.assert_close(found, (weights * losses).sum(), atol=1e-9, rtol=1e-9)
    (gradient,) = torch.autograd.grad(found, logits)
    torch.testing.assert_close(gradient, expected, atol=1e-9, rtol=1e-9)


LORA = {"name": "lora", "rank": 4}
PLAIN = ["~padding-free", "~chunked-cross-entropy"]


@pytest.mark.parametrize(("tuner", "others"), [("full", ("chunks", "parts")), (LORA, ())])
def test_it_is_the_same_with_and_without_what_lays_batches_out_and_in_parts(
    small_run, tmp_path, tuner, others
):
    def rows(name, patches=(), **training):
        run = small_run(
            stage={"name": "sft", "loss": "dft"}, tuner=tuner,
            patches=list(patches), output=str(tmp_path / name),
            training={"max_steps": 4, "batch_size": 4, "log_every": 1, "learning_rate": 1e-3}
            | training,
        )  # fmt: skip
        return read_metrics(train(run))

    changes = {
        "default": {}, "chunks": {"patches": [{"name": "chunked-cross-entropy", "tokens": 5}]},
        "parts": {"patches": PLAIN, "batch_size": 2, "gradient_accumulation": 2},
    }  # fmt: skip
    expected = rows("plain", PLAIN)
    for found in (rows(name, **changes[name]) for name in ("default", *others)):
        for one, other in zip(found, expected, strict=True):
            assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)
            assert one["cross_entropy"] == pytest.approx(other["cross_entropy"], abs=1e-4)
            assert one["trained_tokens"] == other["trained_tokens"]


def test_the_cross_entropy_of_held_out_answers_falls(small_run):
    run = small_run(
        stage={"name": "sft", "loss": "dft"}, validation=0.25,
        evaluation={"every": 6, "patience": 3},
        training={"max_steps": 12, "batch_size": 4, "learning_rate": 5e-3},
    )  # fmt: skip
    folder = train(run)
    held_out = [row for row in read_metrics(folder) if "validation" in row]
    assert held_out[-1]["cross_entropy"] < held_out[0]["cross_entropy"] - 0.5
    # its own loss rises at first, while the model learns
    best = json.loads(folder.manifest.read_text())["best"]
    assert (best["figure"], best["step"]) == ("cross_entropy", 12)
