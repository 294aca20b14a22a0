"""The best step of a run is kept, becomes the model, and may end the run."""

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from luthier.core import LuthierError, load, resume, train
from luthier.core.run.folder import discard
from luthier.core.training.best import Best
from luthier.core.training.recording import Recorder, read_metrics
from luthier.core.training.state import load_state
from luthier.core.training.trainer import Trainer
from tests.listening import Listener

# at this rate the loss falls for some steps, and then rises again
TRAINING = {
    "max_steps": 12, "batch_size": 2, "log_every": 1, "learning_rate": 0.02, "warmup": 0.0,
    "scheduler": "constant",
}  # fmt: skip


class Killed(BaseException):
    """Stands for a SIGKILL in this process."""


@pytest.fixture
def run_of(small_run, data_file):
    """Make a run that is evaluated after every step, on two rows."""

    def make(**evaluation):
        return small_run(
            training=TRAINING, validation={"path": str(data_file), "samples": 2},
            evaluation={"every": 1, **evaluation}, checkpoints={"every": 5, "keep": 1},
        )  # fmt: skip

    return make


@pytest.fixture
def losses(monkeypatch):
    """Have the evaluations of all runs find given losses, one after the other."""

    def given(*values):
        original = Trainer.evaluation_loop

        def loop(self, *args, **settings):
            output = original(self, *args, **settings)
            output.metrics["eval_validation_loss"] = values[self.state.global_step - 1]
            return output

        monkeypatch.setattr(Trainer, "evaluation_loop", loop)

    return given


def manifest_of(folder):
    return json.loads(folder.manifest.read_text())


def weights_of(folder):
    return safetensors.torch.load_file(folder.model / "model.safetensors")


def assert_saved(folder, step):
    """The model has the weights of a step's checkpoint."""
    stored = load_state(folder.checkpoints / f"checkpoint-{step}" / "weights")
    found = weights_of(folder)
    assert all(torch.equal(stored[name], one) for name, one in found.items())


def test_the_best_checkpoint_stays_and_its_weights_become_the_model(run_of, losses):
    losses(5, 4, 3, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    told = Listener()
    folder = train(run_of(best="loss"), reporter=told)
    assert [p.name for p in folder.existing_checkpoints()] == ["checkpoint-4", "checkpoint-12"]
    assert_saved(folder, 4)
    assert manifest_of(folder)["best"] == {
        "step": 4, "validation": "validation", "figure": "loss", "value": 2, "saved": True,
    }  # fmt: skip
    assert ("best", "loss 2.0000 at step 4; its weights are saved") in told.said


def test_a_real_loss_is_compared_and_the_last_step_may_be_the_best(run_of):
    folder = train(run_of(best="loss"))
    rows = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    found = {row["step"]: row["loss"] for row in rows if "validation" in row}
    best = manifest_of(folder)["best"]
    assert (best["step"], best["value"]) == (min(found, key=found.get), min(found.values()))
    assert_saved(folder, best["step"])


def test_the_run_ends_when_it_has_waited_long_enough_for_a_better_step(run_of, losses):
    losses(5, 4, 3, 4, 3, 2, 3, 4, 5, 1, 1, 1)
    told = Listener()
    folder = train(run_of(patience=3), reporter=told)
    manifest = manifest_of(folder)
    assert (manifest["steps"], manifest["best"]["step"]) == (9, 6)
    assert_saved(folder, 6)
    assert ("stopped", "early, at step 9 of 12: none better in 3 evaluations") in told.said


@pytest.mark.parametrize("step", [5, 9])
def test_a_run_that_was_killed_waits_no_longer_than_one_that_was_not(
    run_of, losses, monkeypatch, step
):
    losses(5, 4, 3, 4, 3, 2, 3, 4, 5, 1, 1, 1)
    expected = train({**run_of(best="loss", patience=3), "output": run_of()["output"] + "-whole"})
    contents = run_of(best="loss", patience=3)

    def dying(self, args, state, control, **_):
        if state.global_step == step:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "on_save" if step == 9 else "on_step_end", dying)
        with pytest.raises(Killed):
            train(contents)
    folder = resume(contents["output"])
    assert manifest_of(folder)["best"] == manifest_of(expected)["best"]
    assert manifest_of(folder)["steps"] == 9
    found, wanted = weights_of(folder), weights_of(expected)
    assert all(torch.equal(found[name], one) for name, one in wanted.items())


def test_a_figure_that_the_stage_does_not_tell_is_answered_with_those_there_are(run_of):
    with pytest.raises(LuthierError, match=r"no figure 'los'\. Did you mean 'loss'\?.*tells: loss"):
        train(run_of(best="los"))
    assert not Path(run_of()["output"]).exists()


def test_more_is_better_but_of_what_falls():
    def step_of(figure, *values):
        falling = figure in {"loss", "cross_entropy"}
        best = Best("few", figure, None, falling=falling)
        control = type("Control", (), {})()
        for number, value in enumerate(values, 1):
            state = type("State", (), {"global_step": number})
            key = "loss" if figure == "loss" else f"mean_{figure}"
            best.on_evaluate(None, state, control, metrics={f"eval_few_{key}": value})
        return best.step

    assert step_of("accuracy", 0.1, 0.5, 0.5, 0.4) == 2
    assert step_of("margin", -1.0, -2.0) == 1
    assert step_of("loss", 3.0, 1.0, 2.0) == 2
    assert step_of("cross_entropy", 3.0, 1.0, 2.0) == 2
    assert step_of("loss", float("nan"), 4.0, float("nan")) == 2


@pytest.mark.parametrize(
    ("figure", "falling"),
    [("loss", True), ("margin", False), ("rejected_score", True), ("chosen_score", False)],
)
def test_a_stage_says_which_of_its_figures_fall(small_run, tmp_path, figure, falling):
    rows = [{"prompt": f"Is it {n}?", "chosen": "Yes.", "rejected": "No."} for n in range(6)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = train(
        small_run(
            stage="rm", data=[str(tmp_path / "pairs.jsonl")], validation=0.3,
            training={"max_steps": 3, "batch_size": 2, "learning_rate": 1e-2},
            evaluation={"every": 1, "best": figure},
        )
    )  # fmt: skip
    rows = [row for row in read_metrics(folder) if "validation" in row and row["step"]]
    best = (min if falling else max)(rows, key=lambda row: row[figure])
    assert manifest_of(folder)["best"]["value"] == pytest.approx(best[figure])


def test_what_the_model_began_as_is_no_step_that_could_be_the_best(run_of, losses):
    losses(*range(13, 1, -1), 1)  # the last of them before the first step
    folder = train(run_of(best="loss", on_start=True, patience=1))
    assert manifest_of(folder)["best"]["step"] == 12


def test_the_weights_of_the_end_are_saved_where_the_best_are_lost(run_of, losses, monkeypatch):
    losses(5, 1, 3, 4, 3, 2, 3, 4, 5, 3, 3, 3)

    def lose(self, args, state, control, **_):
        if state.global_step == 3:
            discard(self.folder.checkpoints / "checkpoint-2")

    monkeypatch.setattr(Recorder, "on_step_end", lose)
    folder = train(run_of(best="loss"))
    assert manifest_of(folder)["best"]["saved"] is False
    assert_saved(folder, 12)


ADALORA = {
    "name": "adalora", "rank": 2, "initial_rank": 6, "warmup": 0.3, "settled": 0.2, "every": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"tuner": {"name": "lora", "rank": 4}},
        {"tuner": ADALORA},
        {"optimizer": "schedule-free"},
        {"optimizer": {"name": "badam", "update_interval": 1}},
    ],
    ids=["lora", "adalora", "schedule-free", "badam"],
)
def test_what_is_saved_answers_as_the_model_did_at_its_best_step(
    run_of, losses, monkeypatch, changes
):
    if changes.get("optimizer") == "schedule-free":
        pytest.importorskip("schedulefree", reason='needs pip install "luthier[schedule-free]"')
    losses(5, 4, 3, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    seen, original = {}, Trainer.evaluate
    ids = torch.arange(10, 40)[None]

    def evaluate(self, *args, **settings):
        found = original(self, *args, **settings)
        with torch.no_grad():
            seen[self.state.global_step] = self.job.opened.model.eval()(input_ids=ids).logits
        return found

    monkeypatch.setattr(Trainer, "evaluate", evaluate)
    folder = train({**run_of(best="loss"), **changes})
    with torch.no_grad():
        found = load(folder.path).model.eval()(input_ids=ids).logits
    torch.testing.assert_close(found, seen[4], rtol=1e-5, atol=1e-5)
    assert (seen[12] - seen[4]).abs().max() > 1e-3
