"""A step that is no good is found before it is taken, named, and stops the run or is skipped."""

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from luthier.core import resume, train
from luthier.core.errors import Diverged
from luthier.core.run.folder import RunFolder
from luthier.core.training.packed import PackedCollator
from luthier.core.training.watch import Watch
from tests.listening import Listener

SKIP = {"non_finite": "skip", "most_skipped": 2}
LAYER = "model.layers.1.mlp"


@pytest.fixture
def bad_in(monkeypatch):
    """Have a layer give numbers that are none, in the forward passes of some steps."""

    def make(*steps, value=float("nan"), layer=LAYER):
        original, hooks = Watch.begin, []

        def begin(self, batches, items):
            for hook in hooks:
                hook.remove()
            hooks.clear()
            if self.trainer.state.global_step + 1 in steps:
                module = self.trainer.job.opened.model.get_submodule(layer)
                hooks.append(module.register_forward_hook(lambda m, i, output: output * value))
            original(self, batches, items)

        monkeypatch.setattr(Watch, "begin", begin)

    return make


@pytest.fixture
def contents(small_run):
    def make(**changes):
        training = {"max_steps": 6, "batch_size": 2, "gradient_accumulation": 2, "log_every": 6}
        return small_run(**{"training": training, **changes})

    return make


def folder_of(contents):
    return RunFolder(Path(contents["output"]))


def faults_of(contents):
    return [json.loads(line) for line in folder_of(contents).faults.read_text().splitlines()]


def rows_of_step(contents, step):
    return [row["row"] for row in faults_of(contents) if row["step"] == step]


def metrics_of(folder):
    return [json.loads(line) for line in folder.metrics.read_text().splitlines()]


def weights_of(folder):
    return safetensors.torch.load_file(folder.model / "model.safetensors")


def test_a_step_that_is_no_good_stops_the_run_before_the_weights_change(contents, bad_in):
    bad_in(3)
    run = contents(checkpoints={"every": 1})
    with pytest.raises(Diverged) as stopped:
        train(run)
    said = str(stopped.value)
    assert "the loss is nan in step 3" in said
    assert f"that of {LAYER} (" in said
    assert "computed in float32, with the attention " in said
    assert "faults.non_finite: skip" in said
    folder = folder_of(run)
    assert [p.name for p in folder.existing_checkpoints()] == ["checkpoint-1", "checkpoint-2"]
    assert json.loads(folder.manifest.read_text())["status"] == "diverged"


def test_the_rows_of_the_step_are_named_and_kept(contents, bad_in, data_file, monkeypatch):
    seen = []
    original = PackedCollator.__call__

    def noting(self, items):
        if isinstance(items[0], dict):  # and not the packs that a model is tried with
            seen.append([item["row"] + 1 for item in items])
        return original(self, items)

    monkeypatch.setattr(PackedCollator, "__call__", noting)
    bad_in(2)
    run = contents()
    with pytest.raises(Diverged) as stopped:
        train(run)
    # the first of the two micro-batches of step 2, where it was found
    assert rows_of_step(run, 2) == seen[2]
    assert {row["dataset"] for row in faults_of(run)} == {str(data_file)}
    assert f"rows: {seen[2][0]}, {seen[2][1]} of {data_file}" in str(stopped.value)


@pytest.mark.parametrize("stage", ["sft", {"name": "sft", "packing": True}, "pt"])
def test_packs_and_blocks_name_the_rows_that_they_are_made_of(contents, bad_in, stage):
    bad_in(1)
    run = contents(stage=stage, encoding={"max_length": 64})
    if stage == "pt":
        run["data"][0]["format"] = {"name": "text", "column": "output"}
    with pytest.raises(Diverged):
        train(run)
    rows = rows_of_step(run, 1)
    assert rows
    assert set(rows) <= set(range(1, 13))


def test_a_step_is_skipped_as_if_it_had_not_been(contents, bad_in):
    plain = train(contents(output=contents()["output"] + "-plain"))
    bad_in(3)
    told = Listener()
    folder = train(contents(faults=SKIP), reporter=told)
    (warning,) = [one for one in told.warnings if "skipped" in one]
    assert "in step 3" in warning
    assert "1 more may be" in warning
    assert json.loads(folder.manifest.read_text())["skipped_steps"] == 1
    found, expected = metrics_of(folder)[-1], metrics_of(plain)[-1]
    assert found["loss"] == pytest.approx(expected["loss"], rel=0.3)
    assert found["trained_tokens"] < expected["trained_tokens"]
    assert all(torch.isfinite(one).all() for one in weights_of(folder).values())


def test_a_skipped_step_leaves_weights_and_moments_as_they_were(contents, bad_in, monkeypatch):
    states = {}
    original = Watch.begin

    def begin(self, batches, items):
        optimizer = self.trainer.optimizer
        states[self.trainer.state.global_step] = [
            *(p.detach().clone() for p in self.trainer.model.parameters()),
            *(s["exp_avg"].clone() for s in optimizer.state.values() if "exp_avg" in s),
        ]
        original(self, batches, items)

    monkeypatch.setattr(Watch, "begin", begin)
    bad_in(3)
    train(contents(faults=SKIP))
    assert all(torch.equal(a, b) for a, b in zip(states[2], states[3], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(states[3], states[4], strict=True))


def test_more_skips_than_are_allowed_stop_the_run_also_after_a_resume(contents, bad_in):
    bad_in(1, 3, 5)
    run = contents(faults=SKIP)
    with pytest.raises(Diverged, match=r"in step 5(.|\n)*2 steps were skipped before it"):
        train(run)
    with pytest.raises(Diverged, match=r"in step 5(.|\n)*2 steps were skipped before it"):
        resume(run["output"])
    assert {row["step"] for row in faults_of(run)} == {1, 3, 5}


def test_a_run_that_was_stopped_goes_on_where_such_steps_may_be_skipped(contents, bad_in):
    bad_in(3)
    run = contents()
    with pytest.raises(Diverged):
        train(run)
    file = folder_of(run).run_file
    file.write_text(file.read_text().replace('non_finite: "stop"', "non_finite: skip"))
    assert resume(run["output"]).model.is_dir()


def test_an_infinite_loss_and_a_bad_gradient_are_told_apart(contents, bad_in, monkeypatch):
    from luthier.core.training.trainer import Trainer

    original = Trainer._clip_grad_norm

    def clip(self, model):
        next(p for p in model.parameters() if p.grad is not None).grad.fill_(float("inf"))
        return original(self, model)

    monkeypatch.setattr(Trainer, "_clip_grad_norm", clip)
    with pytest.raises(
        Diverged, match=r"norm of the gradient is (inf|nan)(.|\n)*outputs of all mo"
    ):
        train(contents())


def test_weights_that_are_no_numbers_are_named_as_what_it_comes_from(contents, monkeypatch):
    original = Watch.begin

    def begin(self, batches, items):
        model = self.trainer.job.opened.model
        with torch.no_grad():
            model.get_submodule(LAYER).down_proj.weight[0, 0] = float("nan")
        original(self, batches, items)

    monkeypatch.setattr(Watch, "begin", begin)
    with pytest.raises(Diverged, match=rf"{LAYER}.down_proj \(Linear\), whose own weights are not"):
        train(contents(faults=SKIP))  # which would not help


def test_a_value_head_that_is_no_number_is_named(contents, monkeypatch, tmp_path):
    original = Watch.begin

    def begin(self, batches, items):
        with torch.no_grad():
            self.trainer.job.opened.value_heads["reward"].weight[0, 0] = float("nan")
        original(self, batches, items)

    monkeypatch.setattr(Watch, "begin", begin)
    pair = {"prompt": "What is it?", "chosen": "It is so.", "rejected": "It is not."}
    (tmp_path / "pairs.jsonl").write_text(f"{json.dumps(pair)}\n" * 4)
    named = r"that of value_heads\.reward \(ValueHead\), whose own weights are not finite"
    with pytest.raises(Diverged, match=named):
        train(contents(stage="rm", data=[str(tmp_path / "pairs.jsonl")]))


def test_a_step_in_which_no_token_is_trained_is_a_fault_too(contents, monkeypatch):
    original, calls = PackedCollator.__call__, []

    def uncounted(self, items):
        nonlocal calls
        batch = original(self, items)
        calls += [1] * isinstance(items[0], dict)
        if len(calls) in {3, 4}:
            batch["labels"].fill_(-100)
        return batch

    monkeypatch.setattr(PackedCollator, "__call__", uncounted)
    run = contents()
    with pytest.raises(Diverged, match=r"no token is trained in step 2(.|\n)*labels of all these"):
        train(run)
    assert len(rows_of_step(run, 2)) == 4
    calls.clear()
    folder = train({**run, "faults": SKIP}, overwrite=True)
    assert all(torch.isfinite(one).all() for one in weights_of(folder).values())


ADALORA = {"name": "adalora", "rank": 2, "initial_rank": 4, "targets": "attention-query"}


def test_what_keeps_state_of_its_own_goes_on_after_a_first_step_that_is_skipped(contents, bad_in):
    bad_in(1, layer=f"base_model.model.{LAYER}")
    folder = train(contents(tuner=ADALORA, faults=SKIP))
    adapter = safetensors.torch.load_file(folder.model / "adapter_model.safetensors")
    assert all(one.isfinite().all() for one in adapter.values())
    ranks = [one.count_nonzero() for name, one in adapter.items() if "lora_E" in name]
    assert sum(ranks) == 4 * 2  # cut to the mean rank of the four layers
