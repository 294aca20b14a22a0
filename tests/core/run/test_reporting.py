"""What a run says: a moving line on a terminal, plain lines in a pipe, the rest in the log."""

import io
import logging
import warnings
from pathlib import Path

import pytest
from rich.console import Console

from luthier.core import train
from luthier.core.run.reporting import LOUD, ConsoleReporter, Reporter, quiet_libraries
from luthier.core.training.recording import duration, smoothed


def run_on(console, run):
    train(run, reporter=ConsoleReporter(console))
    return console.file.getvalue()


def test_a_pipe_gets_plain_lines_with_rate_and_time_left(small_run):
    text = run_on(Console(file=io.StringIO(), width=60), small_run())
    assert "\x1b" not in text
    lines = text.splitlines()
    assert lines[0].startswith("run ")
    assert any(line.startswith("data       12 rows") for line in lines)
    steps = [line for line in lines if line.startswith("step ")]
    assert len(steps) == 6
    assert all("loss" in line and "tokens/s" in line for line in steps)
    assert "steps/s" in steps[-1]
    assert "left" in steps[-1]
    assert lines[-1].startswith("model      written to")


def test_a_terminal_gets_a_progress_line(small_run):
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    text = run_on(console, small_run())
    assert "6/6" in text
    assert all(figure in text for figure in ("tokens/s", "steps/s", "left"))
    assert "training" in text


def test_a_library_that_warns_is_heard_in_the_log_alone(small_run, capsys, monkeypatch):
    from luthier.core.training.recording import Recorder

    original = Recorder.on_step_end

    def warning(self, *arguments, **keywords):
        logging.getLogger("some.library").warning("mind the gap")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("an old name", FutureWarning, stacklevel=1)
        return original(self, *arguments, **keywords)

    monkeypatch.setattr(Recorder, "on_step_end", warning)
    folder = train(small_run())
    assert capsys.readouterr() == ("", "")
    log = folder.log.read_text()
    assert "mind the gap" in log
    assert "an old name" in log


def test_a_run_that_fails_leaves_its_traceback_in_the_log(small_run, tmp_path, monkeypatch):
    from luthier.core.training.recording import Recorder

    def failing(self, *_, **__):
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(Recorder, "on_step_end", failing)
    with pytest.raises(ZeroDivisionError):
        train(small_run())
    assert "ZeroDivisionError: a fault of ours" in (tmp_path / "run" / "log.txt").read_text()


def facts_of(logger):
    return logger.level, logger.propagate, logger.handlers[:]


def test_libraries_are_as_they_were_afterwards():
    import datasets  # noqa: F401 - each sets up its own logger
    import transformers

    loggers = [logging.getLogger(name) for name in (None, *LOUD)]
    before = [facts_of(logger) for logger in loggers]
    with quiet_libraries():
        assert transformers.logging.get_verbosity() == logging.INFO
    assert [facts_of(logger) for logger in loggers] == before


@pytest.mark.parametrize("name", LOUD)
def test_a_library_with_a_handler_of_its_own_is_not_on_the_screen(name, monkeypatch, caplog):
    import datasets  # noqa: F401
    import transformers  # noqa: F401

    screen = io.StringIO()
    own = logging.getLogger(name)
    monkeypatch.setattr(own, "handlers", [logging.StreamHandler(screen)])
    with quiet_libraries():
        logging.getLogger(f"{name}.within").warning("Retrying in 8s [Retry 5/5].")
    assert screen.getvalue() == ""
    assert "Retrying in 8s" in caplog.text


def test_the_silent_reporter_tells_the_log(caplog):
    with caplog.at_level(logging.INFO, logger="luthier"), Reporter().progress(3) as reporter:
        reporter.say("data", "12 rows")
        reporter.advance(1, "loss 1.0")
        reporter.tick(2)
        reporter.warn("careful")
    assert [r.message for r in caplog.records] == [
        "3 optimizer steps", "data: 12 rows", "step 1: loss 1.0", "careful",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (48, "48 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (-1, "0 s")],
)
def test_a_stretch_of_time_is_said_as_a_person_would(seconds, said):
    assert duration(seconds) == said


def test_the_smoothed_curve_is_a_running_mean():
    assert smoothed([1.0, 2.0, 3.0, 4.0]) == [1.0, 1.5, 2.0, 3.0]
    assert smoothed([2.0] * 30) == [2.0] * 30
    assert smoothed([0.0] * 39 + [1.0])[-1] == 0.25


def test_the_curve_of_a_run_is_drawn_as_a_picture(small_run, plot_loss):
    folder = train(small_run(validation=3))
    plot_loss(folder)
    assert (folder.path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_what_a_plugin_warns_of_is_shown_and_stands_in_the_log_once(small_run):
    run = small_run(patches=["rope-scaling"])
    text = run_on(Console(file=io.StringIO(), width=60), run)
    assert text.count("warning    RoPE is not scaled: rows of ") == 1
    log = (Path(run["output"]) / "log.txt").read_text()
    assert log.count("RoPE is not scaled") == 1


def test_a_warning_of_a_run_is_told_once():
    console = Console(file=io.StringIO(), width=60)
    reporter = ConsoleReporter(console)
    with reporter.hearing():
        reporter.warn("mind the gap")
    assert console.file.getvalue() == "warning    mind the gap\n"
