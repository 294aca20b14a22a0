"""Other stages than that of test_resume.py go on as it does, wherever they are killed."""

import json

import pytest

from luthier.core import resume, train
from luthier.core.run.folder import RunFolder
from tests.e2e.killing import IN_TURN, STEPS, assert_same_run, kill_and_resume, killer

ROWS = [
    {"prompt": f"What is {a} plus {b}?", "chosen": f"It is {a + b}.", "rejected": f"No idea {a}"}
    for a in range(6) for b in range(4)
]  # fmt: skip
STAGES = {
    "dpo": {"stage": "dpo", "format": "preference"},
    "ppo": {
        "stage": {
            "name": "ppo", "max_new_tokens": 6, "minibatch_size": 2, "update_epochs": 2,
            "kl_target": 1.0, "normalize_scores": True,
        },
        "format": "prompts", "rewards": [{"name": "contains", "text": "e"}],
    },
}  # fmt: skip
FAULTS = {
    "between two checkpoints": ("luthier.core.training.recording.Recorder.on_step_end", 5),
    "as the weights are written": ("luthier.core.training.checkpointing.save_state", 6),
    "as the model is written": ("luthier.core.model.saving.written_whole", 1),
}


@pytest.fixture(scope="module", params=STAGES)
def stage(request):
    return request.param


@pytest.fixture(scope="module")
def long_run(stage, module_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    options = dict(STAGES[stage])
    data = [{"path": str(file), "format": options.pop("format")}]

    def contents(name, max_steps=8):
        return module_run(
            **options, data=data, tuner={"name": "lora", "rank": 4}, output=str(folder / name),
            training={
                "max_steps": max_steps, "batch_size": 2, "log_every": 2, "learning_rate": 1e-3,
                "scheduler": "constant",  # so that a step too many would be seen
            },
        )  # fmt: skip

    return contents


@pytest.fixture(scope="module")
def uninterrupted(long_run):
    return train(long_run("uninterrupted"))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_killed_at_any_point_ends_with_the_same_weights(
    long_run, uninterrupted, monkeypatch, fault
):
    killer(monkeypatch)(lambda: train(long_run(fault)), *FAULTS[fault])
    folder = RunFolder(uninterrupted.path.parent / fault)
    assert not folder.model.exists()
    assert_same_run(resume(folder.path), uninterrupted)


ADAPTER = {"name": "lora", "rank": 4, "dropout": 0.1}


@pytest.mark.parametrize("stage", ["sft", "ppo"])
def test_chance_goes_on_as_it_was_where_rows_are_streamed(small_run, tmp_path, monkeypatch, stage):
    options = {k: v for k, v in STAGES.get(stage, {"stage": stage}).items() if k != "format"}
    if stage == "ppo":
        file = tmp_path / "prompts.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
        options["data"] = [{"path": str(file), "format": "prompts"}]

    def contents(name):
        return small_run(
            **options, tuner=ADAPTER, mix={"streaming": True, "shuffle_buffer": 5},
            output=str(tmp_path / name),
            training={"max_steps": 4, "batch_size": 2, "log_every": 1, "learning_rate": 1e-3},
        )  # fmt: skip

    whole = train(contents("whole"))
    step = ("luthier.core.training.recording.Recorder.on_step_end", 3)
    killer(monkeypatch)(lambda: train(contents("killed")), *step)
    assert_same_run(resume(tmp_path / "killed"), whole)


@pytest.fixture(scope="module")
def longer_run(long_run):
    """What a longer run ends with when nobody kills it."""
    return train(long_run("longer", STEPS))


def test_a_process_killed_three_times_by_the_system_ends_with_the_same_weights(
    long_run, longer_run
):
    assert_same_run(kill_and_resume(long_run("in turn", STEPS), 1, IN_TURN), longer_run)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(20))
def test_a_long_series_of_real_kills(long_run, longer_run, seed):
    assert_same_run(kill_and_resume(long_run(f"real-{seed}", STEPS), seed), longer_run)
