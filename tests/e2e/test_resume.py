"""A run that is killed at any moment goes on as if it never had been, to the bit."""

import sys

import pytest

from luthier.core import BadData, resume, train
from luthier.core.cli.application import main
from luthier.core.errors import BadRunFolder
from luthier.core.run.folder import RunFolder
from tests.e2e.killing import IN_TURN, STEPS, Killed, assert_same_run, kill_and_resume, killer

TUNERS = ["full", {"name": "lora", "rank": 4, "dropout": 0.1}]


@pytest.fixture(scope="module", params=TUNERS, ids=["full", "lora"])
def tuner(request):
    return request.param


@pytest.fixture(scope="module")
def long_run(module_run, tuner, tmp_path_factory):
    """A run of nine steps with a checkpoint at every second, a short window at each epoch's end."""
    folder = tmp_path_factory.mktemp("runs")

    def contents(name, max_steps=9):
        return module_run(
            tuner=tuner,
            training={
                "max_steps": max_steps, "batch_size": 2, "gradient_accumulation": 2, "log_every": 2,
                "learning_rate": 1e-3,
            },
            output=str(folder / name),
        )  # fmt: skip

    return contents


@pytest.fixture(scope="module")
def uninterrupted(long_run):
    return train(long_run("uninterrupted"))


@pytest.fixture
def killed(monkeypatch):
    """What kills a training at a point of its code."""
    return killer(monkeypatch)


def leftovers(folder):
    """Return the names of what is half written, or half deleted."""
    return {p.name for p in folder.path.rglob(".*") if p.suffix in {".partial", ".deleted"}}


# where the process dies: a function of luthier, and at which of its calls
FAULTS = {
    "before the first step": ("luthier.core.training.recording.Recorder.on_train_begin", 1),
    "in the first steps, before any checkpoint": (
        "luthier.core.training.recording.Recorder.on_step_end", 1),
    "between two checkpoints": ("luthier.core.training.recording.Recorder.on_step_end", 5),
    "as the weights are written": ("luthier.core.training.checkpointing.save_state", 6),
    "as the optimizer is written": ("luthier.core.training.checkpointing.save_state", 7),
    "as the schedule is written": ("luthier.core.training.checkpointing.save_state", 8),
    "as the random state is written": ("luthier.core.training.checkpointing.save_state", 9),
    "as the rest is written": ("luthier.core.training.checkpointing.save_state", 10),
    "as a checkpoint takes its name": ("os.replace", 4),
    "as an old checkpoint is dropped": ("luthier.core.training.checkpointing.discard", 1),
    "as an old checkpoint is deleted": ("os.replace", 7),
    "as the curve is drawn": ("luthier.core.training.recording.plot_loss", 1),
    "as the model is written": ("luthier.core.model.saving.written_whole", 1),
}  # fmt: skip


LEAVING = {
    *(f"as the {part} is written" for part in ("optimizer", "schedule", "random state", "rest")),
    "as the weights are written", "as a checkpoint takes its name",
    "as an old checkpoint is deleted",
}  # fmt: skip
"""After which something half is left."""


OF_BOTH = ("between two checkpoints", "as the weights are written", "as the model is written")
"""At the other places the run of all weights is killed by a sweep alone."""
KILLS = [*(("lora", fault) for fault in FAULTS), *(("full", fault) for fault in OF_BOTH)]


@pytest.mark.parametrize(
    ("tuner", "fault"), [(TUNERS[name == "lora"], fault) for name, fault in KILLS],
    ids=["-".join(one) for one in KILLS], indirect=["tuner"],
    scope="module",  # or the whole run is trained anew for each
)  # fmt: skip
def test_a_run_killed_at_any_point_ends_with_the_same_weights(
    long_run, uninterrupted, killed, fault
):
    done = fault == "as an old checkpoint is deleted"  # it has lost its name already
    killed(lambda: train(long_run(fault)), *FAULTS[fault], done=done)
    folder = RunFolder(uninterrupted.path.parent / fault)
    assert not folder.model.exists()
    assert bool(leftovers(folder)) == (fault in LEAVING)
    assert_same_run(resume(folder.path), uninterrupted)
    assert not leftovers(folder)


def test_a_run_may_be_interrupted_again_and_again(long_run, uninterrupted, monkeypatch):
    from luthier.core.training.recording import Recorder

    folder = RunFolder(uninterrupted.path.parent / "often")
    go_on = [lambda: train(long_run("often")), *[lambda: resume(folder.path)] * 3]
    for last_step, begin in zip((3, 4, 8), go_on, strict=False):

        def dying(self, args, state, control, last_step=last_step, **_):
            if state.global_step == last_step:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(Recorder, "on_step_end", dying)
            with pytest.raises(Killed):
                begin()
    assert_same_run(resume(folder.path), uninterrupted)


@pytest.fixture(scope="module")
def longer_run(long_run):
    """What a longer run ends with when nobody kills it."""
    return train(long_run("longer", STEPS))


def test_a_process_killed_three_times_by_the_system_ends_with_the_same_weights(
    long_run, longer_run
):
    assert_same_run(kill_and_resume(long_run("in turn", STEPS), 1, IN_TURN), longer_run)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(10))  # of each tuner
def test_a_long_series_of_real_kills(long_run, longer_run, seed):
    assert_same_run(kill_and_resume(long_run(f"real-{seed}", STEPS), seed), longer_run)


# --- what is refused -------------------------------------------------------------------------


def stop_at(monkeypatch, step, begin):
    from luthier.core.training.recording import Recorder

    def dying(self, args, state, control, **_):
        if state.global_step == step:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "on_step_end", dying)
        with pytest.raises(Killed):
            begin()


def test_a_run_whose_data_has_changed_is_not_continued(small_run, data_file, monkeypatch, tmp_path):
    stop_at(monkeypatch, 5, lambda: train(small_run()))
    data_file.write_text(data_file.read_text().replace("It is", "That is"))
    with pytest.raises(BadRunFolder, match="the rows of data: 12 rows"):
        resume(tmp_path / "run")


def test_a_run_that_has_ended_is_left_as_it_is(small_run, tmp_path):
    folder = train(small_run())
    before = {p: p.stat().st_mtime_ns for p in folder.model.iterdir()}
    assert resume(folder.path) == folder
    assert {p: p.stat().st_mtime_ns for p in folder.model.iterdir()} == before
    with pytest.raises(BadRunFolder, match="holds a run already"):
        train(small_run())
    train(small_run(), overwrite=True)


def test_a_run_that_failed_before_its_first_checkpoint_may_be_trained_anew(small_run, data_file):
    good = data_file.read_text()
    data_file.write_text(good + '{"instruction": "x", "input": "", "output": ""}\n')
    with pytest.raises(BadData, match="row 13"):
        train(small_run())
    data_file.write_text(good)
    assert train(small_run()).model.is_dir()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "there is no folder"),
        (lambda path: path.mkdir(), "holds no run"),
    ],
)
def test_what_is_no_run_folder_cannot_be_resumed(tmp_path, monkeypatch, capsys, make, said):
    make(tmp_path / "run")
    monkeypatch.setattr(sys, "argv", ["luthier", "resume", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert said in capsys.readouterr().err
