"""Every optimizer, from a run file: it learns, trains what it should, and resumes to the bit."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from luthier.core import resume, train
from luthier.plugins.families.tiny.making import tiny_model
from luthier.registry import Catalogue

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


def held_out_loss(run):
    rows = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    return [row["loss"] for row in rows if "validation" in row][-1]


def weights_of(run):
    (file,) = run.model.glob("*model.safetensors")
    return load_file(file)


@pytest.fixture(scope="module")
def control(module_run, tmp_path_factory):
    """The loss on held-out rows of a model that is as good as frozen."""
    folder = tmp_path_factory.mktemp("control")
    return held_out_loss(train(contents_of(module_run, folder, "adamw", 1e-12)))


@pytest.fixture(scope="module", params=RUNS)
def trained(request, module_run, tmp_path_factory):
    """A run of four steps with two checkpoints, for each optimizer."""
    if request.param in PACKAGES:
        pytest.importorskip(PACKAGES[request.param])
    folder = tmp_path_factory.mktemp("optimizer")
    return request.param, train(contents_of(module_run, folder, *RUNS[request.param]))


def test_held_out_rows_are_answered_better_than_by_a_frozen_model(trained, control):
    _, run = trained
    assert held_out_loss(run) < control - 0.1


def test_exactly_that_is_changed_which_the_tuner_trains(trained):
    name, run = trained
    before, after = load_file(tiny_model() / "model.safetensors"), weights_of(run)
    if name == "lora-plus":
        assert all("lora_" in key for key in after)
        assert all(tensor.abs().sum() > 0 for tensor in after.values())
        return
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    # a turn at each step: the embedding, and the first three layers
    turns = ("model.embed_tokens.", *(f"model.layers.{n}." for n in range(3)))
    assert changed == {k for k in before if name != "badam" or k.startswith(turns)}


def test_a_run_that_was_cut_off_resumes_to_the_bit(trained):
    _, run = trained
    expected, loss = weights_of(run), held_out_loss(run)
    shutil.rmtree(run.model)
    shutil.rmtree(run.checkpoints / "checkpoint-4")
    resume(run.path)
    found = weights_of(run)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert held_out_loss(run) == loss


def test_every_optimizer_is_run_here():
    run = {one if isinstance(one, str) else one["name"] for one, _ in RUNS.values()}
    assert run | UNRUN == set(Catalogue.installed().names("optimizers"))


@pytest.mark.parametrize("name", ["galore", "muon"])
def test_a_run_tells_which_layers_the_targets_of_its_optimizer_are(name, small_run):
    optimizer = {"name": name, "targets": ["attention-query", "down_proj"]}
    run = small_run(tuner="full", optimizer=optimizer, training={"max_steps": 1})
    log = train(run).log.read_text()
    assert "optimizer: its targets are 8 layers: attention-query 4, mlp-down 4\n" in log
