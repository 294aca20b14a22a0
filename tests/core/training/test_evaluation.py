"""A model in training is measured on rows that it is not trained on."""

import json

import pytest
import safetensors.torch
import torch

from luthier.core import resume, train
from luthier.core.errors import BadRunFolder
from luthier.core.run.folder import discard
from luthier.core.training.trainer import Trainer

LORA = {"name": "lora", "rank": 4, "dropout": 0.1}


def lines_of(folder):
    rows = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    timed = {"tokens_per_second", "seconds"}
    return [{k: v for k, v in row.items() if k not in timed} for row in rows]


def evaluations_of(folder):
    return [row for row in lines_of(folder) if "validation" in row]


def weights_of(folder):
    (file,) = folder.model.glob("*model.safetensors")
    return safetensors.torch.load_file(file)


def test_the_loss_is_the_mean_over_all_tokens_of_each_set(small_run, data_file, monkeypatch):
    expected = {}

    def looked_at(self, *arguments, **settings):
        found = original(self, *arguments, **settings)
        model = self.job.opened.model.eval()
        for name, rows in self.job.validation.items():
            losses = []
            for row in rows:
                ids, labels = (torch.tensor(row[key]) for key in ("input_ids", "labels"))
                with torch.no_grad():
                    logits = model(ids[None]).logits[0, :-1]
                losses.append(
                    torch.nn.functional.cross_entropy(
                        logits, labels[1:], ignore_index=-100, reduction="none"
                    )[labels[1:] != -100]
                )
            expected[self.state.global_step, name] = torch.cat(losses).double().mean().item()
        return found

    original = Trainer._evaluate
    monkeypatch.setattr(Trainer, "_evaluate", looked_at)
    sets = {"mine": str(data_file), "few": {"path": str(data_file), "samples": 3}}
    folder = train(small_run(validation=sets, evaluation={"every": 4, "batch_size": 5}))
    found = {(row["step"], row["validation"]): row["loss"] for row in evaluations_of(folder)}
    assert found.keys() == expected.keys() == {(n, name) for n in (0, 4, 6) for name in sets}
    for key, loss in found.items():
        assert loss == pytest.approx(expected[key], rel=1e-5)


def test_an_evaluation_does_not_change_what_is_trained(small_run, data_file, tmp_path):
    def run(name, **changes):
        return train(small_run(tuner=LORA, output=str(tmp_path / name), **changes))

    plain = run("plain")
    evaluation = {"every": 1, "on_start": True}
    looked_at = run("looked-at", validation=str(data_file), evaluation=evaluation)
    assert [row for row in lines_of(looked_at) if "validation" not in row] == lines_of(plain)
    expected, found = weights_of(plain), weights_of(looked_at)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_run_that_is_stopped_has_each_evaluation_once(small_run, tmp_path, monkeypatch):
    def contents(name):
        training = {"epochs": 2, "batch_size": 2, "log_every": 1}
        evaluation = {"on_start": True}
        output = str(tmp_path / name)
        return small_run(training=training, validation=4, evaluation=evaluation, output=output)

    whole = train(contents("whole"))
    assert [row["step"] for row in evaluations_of(whole)] == [0, 4, 8]
    original, calls = Trainer.training_step, []

    def step(self, *arguments):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "training_step", step)
        with pytest.raises(KeyboardInterrupt):
            train(contents("stopped"))
    assert lines_of(resume(tmp_path / "stopped")) == lines_of(whole)


def test_rows_that_are_packed_are_evaluated_as_rows_that_are_not(small_run, tmp_path):
    losses = []
    for packing in (True, False):
        stage = {"name": "sft", "packing": packing}
        training = {"max_steps": 1, "learning_rate": 1e-12}
        run = small_run(stage=stage, validation=4, training=training)
        _, found = evaluations_of(train({**run, "output": str(tmp_path / f"{packing}")}))
        losses.append((pytest.approx(found["loss"], rel=1e-5), found["trained_tokens"]))
    assert losses[0][1] == losses[1][1]
    assert losses[0][0].expected == losses[1][0]


def test_a_run_whose_validation_set_has_changed_is_not_gone_on_with(small_run, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"instruction": "Who?", "output": "I."}) + "\n")
    run = train(small_run(validation=str(other), evaluation={"every": 2}))
    assert json.loads(run.manifest.read_text())["data"]["validation"]["validation"]["rows"] == 1
    discard(run.model)
    other.write_text(json.dumps({"instruction": "Who?", "output": "You."}) + "\n")
    with pytest.raises(BadRunFolder, match=r"the rows of validation: 1 row .* -> 1 row"):
        resume(run.path)
