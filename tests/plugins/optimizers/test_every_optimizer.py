"""Every optimizer, from a run file: it learns, trains what it should, and resumes to the bit."""

import json
import shutil

import pytest
import torch
from peft import AutoPeftModelForCausalLM
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from luthier.core import resume, train
from luthier.registry import Catalogue
from tests.plugins.watching import IDS, held_out_loss, watched

RUNS = {
    "adamw": ({"name": "adamw", "betas": [0.9, 0.95]}, 5e-3),
    "adamw-8bit": ("adamw-8bit", 5e-3),
    "lora-plus": ({"name": "lora-plus", "ratio": 4}, 2e-2),
    "galore": ({"name": "galore", "scale": 1.0, "rank": 8, "update_interval": 2}, 5e-3),
    "galore, in the backward pass and in 8 bits": (
        {"name": "galore", "layerwise": True, "bits": 8, "side": "both", "rank": 64},
        5e-3,
    ),
    "apollo": ({"name": "apollo", "rank": 8, "update_interval": 2}, 5e-3),
    "apollo, in the backward pass": (
        {"name": "apollo", "layerwise": True, "rank": 1, "per": "tensor", "scale": 11.3},
        5e-3,
    ),
    "badam": ({"name": "badam", "update_interval": 1, "order": "ascending"}, 5e-3),
    "adam-mini": ("adam-mini", 5e-3),
    "muon": ({"name": "muon", "iterations": 2, "targets": "attention"}, 5e-3),
    "lomo": ("lomo", 3e-2),
    "adafactor": ({"name": "adafactor", "momentum": 0.9}, 5e-3),
    "schedule-free": ("schedule-free", 5e-3),
    "lion": ("lion", 2e-3),
}
PACKAGES = {
    "adamw-8bit": "bitsandbytes",
    "galore, in the backward pass and in 8 bits": "bitsandbytes",
    "schedule-free": "schedulefree",
}
UNRUN = {"paged-adamw"}
"""What needs a GPU."""
HELD_OUT = [
    {
        "instruction": f"What is {n} plus {n}?",
        "input": "",
        "output": f"It is {2 * n}." + " Yes." * 9,
    }
    for n in range(20, 24)
]


def contents_of(module_run, folder, optimizer, rate):
    held_out = folder / "held_out.jsonl"
    held_out.write_text("".join(json.dumps(row) + "\n" for row in HELD_OUT))
    lora = isinstance(optimizer, dict) and optimizer["name"] == "lora-plus"
    return module_run(
        optimizer=optimizer,
        tuner={"name": "lora", "rank": 4} if lora else "full",
        training={
            "max_steps": 4,
            "warmup": 0,
            "batch_size": 2,
            "log_every": 1,
            "learning_rate": rate,
        },
        checkpoints={"every": 2},
        validation={"path": str(held_out)},
        evaluation={"every": 4},
        output=str(folder / "run"),
    )


def told_loss(run):
    """Return the loss on held-out rows that the run tells of last."""
    rows = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    return [row["loss"] for row in rows if "validation" in row][-1]


def weights_of(run):
    (file,) = run.model.glob("*model.safetensors")
    return load_file(file)


@pytest.fixture(scope="module")
def control(module_run, tmp_path_factory):
    """The loss on held-out rows of a model that is as good as frozen."""
    folder = tmp_path_factory.mktemp("control")
    return told_loss(train(contents_of(module_run, folder, "adamw", 1e-12)))


@pytest.fixture(scope="module", params=RUNS)
def trained(request, module_run, tmp_path_factory):
    """What was seen of a run of four steps with two checkpoints, for each optimizer."""
    if request.param in PACKAGES:
        pytest.importorskip(PACKAGES[request.param])
    folder = tmp_path_factory.mktemp("optimizer")
    return request.param, watched(contents_of(module_run, folder, *RUNS[request.param]))


def test_held_out_rows_are_answered_better_than_by_a_frozen_model(trained, control):
    _, seen = trained
    assert told_loss(seen.folder) < control - 0.1


PARTS = (
    *(f"self_attn.{one}_proj" for one in "qkvo"),
    *(f"mlp.{one}_proj" for one in ("gate", "up", "down")),
)
NORMS = ("input_layernorm", "post_attention_layernorm")


def expected_to_change(name):
    """Return the full names of what an optimizer changes: four layers, and what is around them."""
    layers = [f"model.layers.{number}." for number in range(4)]
    if name == "lora-plus":
        return {
            f"base_model.model.{layer}{part}.{matrix}.default.weight"
            for layer in layers
            for part in PARTS
            for matrix in ("lora_A", "lora_B")
        }
    # badam has a turn at each step: the embedding, and the first three layers
    turns, around = (3, ["embed_tokens"]) if name == "badam" else (4, ["embed_tokens", "norm"])
    within = {f"{layer}{part}.weight" for layer in layers[:turns] for part in PARTS + NORMS}
    return within | {f"model.{one}.weight" for one in around}


def test_exactly_that_is_changed_which_the_tuner_trains(trained):
    name, seen = trained
    assert seen.changed == expected_to_change(name)


def test_what_is_saved_is_what_was_evaluated_at_the_end_and_stock_libraries_load_it(trained):
    name, seen = trained
    stock = AutoPeftModelForCausalLM if name == "lora-plus" else AutoModelForCausalLM
    model = stock.from_pretrained(seen.folder.model)
    with torch.no_grad():
        assert (model.eval()(input_ids=IDS).logits - seen.logits).abs().max() < 1e-6
    assert abs(held_out_loss(model, seen.job) - told_loss(seen.folder)) < 1e-5


@pytest.mark.parametrize("name", ["schedule-free", "badam"])
def test_an_optimizer_that_swaps_weights_or_freezes_them_saves_the_same_without_an_evaluation(
    name, module_run, tmp_path
):
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    contents = contents_of(module_run, tmp_path, *RUNS[name])
    evaluated = weights_of(train({**contents, "output": str(tmp_path / "evaluated")}))
    del contents["validation"], contents["evaluation"]
    found = weights_of(train(contents))
    assert found.keys() == evaluated.keys()
    assert all((found[key] - evaluated[key]).abs().max() < 1e-6 for key in found)


def test_a_run_that_was_cut_off_resumes_to_the_bit(trained):
    run = trained[1].folder
    expected, loss = weights_of(run), told_loss(run)
    shutil.rmtree(run.model)
    shutil.rmtree(run.checkpoints / "checkpoint-4")
    resume(run.path)
    found = weights_of(run)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert told_loss(run) == loss


def test_every_optimizer_is_run_here():
    run = {one if isinstance(one, str) else one["name"] for one, _ in RUNS.values()}
    assert run.isdisjoint(UNRUN)
    assert run | UNRUN == set(Catalogue.installed().names("optimizers"))


@pytest.mark.parametrize("name", ["galore", "muon"])
def test_a_run_tells_which_layers_the_targets_of_its_optimizer_are(name, small_run):
    optimizer = {"name": name, "targets": ["attention-query", "down_proj"]}
    run = small_run(tuner="full", optimizer=optimizer, training={"max_steps": 1})
    log = train(run).log.read_text()
    assert "optimizer: its targets are 8 layers: attention-query 4, mlp-down 4\n" in log
