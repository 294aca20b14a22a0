"""What is trained, in mixed precision and in bfloat16 alone, as the steps of real runs have it."""

import json

import pytest
import torch

from luthier.core import load, train

TUNERS = ["full", {"name": "lora", "rank": 4}]


@pytest.fixture
def seen(monkeypatch):
    """Note the trainer that a run is trained by."""
    from luthier.core.run import execution

    kept = {}
    original = execution._finish

    def finish(trainer, job, *rest):
        kept.update(trainer=trainer, model=job.opened.model)
        original(trainer, job, *rest)

    monkeypatch.setattr(execution, "_finish", finish)
    return kept


@pytest.mark.parametrize(
    ("tuner", "dtype", "precision", "expected"),
    [
        *(
            (tuner, dtype, precision, expected)
            for tuner in TUNERS
            for dtype, precision, expected in (
                ("bfloat16", "mixed", torch.float32),
                ("bfloat16", "pure", torch.bfloat16),
                ("float32", "mixed", torch.float32),
                ("float32", "pure", torch.float32),
            )
        ),
        # the model's own weights are not trained beside float16 on a CPU
        (TUNERS[1], "float16", "mixed", torch.float32),
    ],
)
def test_weights_gradients_and_moments_are_of_the_precision_that_was_chosen(
    small_run, seen, tuner, dtype, precision, expected
):
    contents = small_run(tuner=tuner, model={"path": "tiny", "dtype": dtype})
    contents["training"] |= {"precision": precision, "learning_rate": 1e-2, "max_steps": 8}
    run = train(contents)
    trainer, model = seen["trainer"], seen["model"]
    trained = [p for p in model.parameters() if p.requires_grad]
    frozen = [p for p in model.parameters() if not p.requires_grad]
    assert {p.dtype for p in trained} == {expected}
    assert {p.dtype for p in frozen} <= {getattr(torch, dtype)}
    moments = {
        state[key].dtype
        for state in trainer.optimizer.state.values()
        for key in ("exp_avg", "exp_avg_sq")
    }
    assert moments == {expected}
    half = {"bfloat16": "bf16", "float16": "fp16"}.get(dtype, "no")
    assert trainer.accelerator.mixed_precision == (half if precision == "mixed" else "no")
    # the gradients of float16 are scaled, or small ones would round to zero; not on a CPU
    scaled = dtype == "float16" and torch.cuda.is_available()
    assert (trainer.accelerator.scaler is not None) == scaled
    losses = [json.loads(line)["loss"] for line in run.metrics.read_text().splitlines()]
    assert losses[-1] < losses[0] - 0.5
    planned = json.loads(run.manifest.read_text())["memory"]["planned_bytes"]
    sizes = {p: p.element_size() * p.numel() for p in (*trained, *frozen)}
    # paper, section 2: of a trained parameter 8 bytes in bfloat16, 16 in float32
    assert planned == sum(sizes.values()) + 3 * sum(sizes[p] for p in trained)


def test_an_adapter_of_bfloat16_is_opened_as_it_was_trained(small_run, seen):
    contents = small_run(tuner="lora", model={"path": "tiny", "dtype": "bfloat16"})
    contents["training"] |= {"precision": "pure", "learning_rate": 1e-2}
    run = train(contents)
    ids = torch.arange(10, 40)[None]
    with torch.no_grad():
        expected = seen["model"].eval()(input_ids=ids).logits
        found = load(run.path).model.eval()(input_ids=ids).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=0.05)


def test_weights_of_four_bits_go_with_bfloat16_alone(small_run, seen):
    pytest.importorskip("bitsandbytes", reason='needs pip install "luthier[bnb]"')
    contents = small_run(tuner="lora", quantizer="bnb", model={"path": "tiny", "dtype": "bfloat16"})
    contents["training"] |= {"precision": "pure", "learning_rate": 1e-2, "max_steps": 8}
    run = train(contents)
    floating = {p.dtype for p in seen["model"].parameters() if p.is_floating_point()}
    assert floating == {torch.bfloat16}
    losses = [json.loads(line)["loss"] for line in run.metrics.read_text().splitlines()]
    assert losses[-1] < losses[0] - 0.5
