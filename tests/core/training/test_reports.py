"""Where the figures of a run go besides metrics.jsonl: nowhere, unless the file says so."""

import importlib.util

import pytest
import transformers.trainer

from luthier.core import train


@pytest.fixture
def asked(monkeypatch):
    """Note what transformers is asked to report to, and report nothing."""
    found = []

    def callbacks(report_to):
        found.append(report_to)
        return []

    monkeypatch.setattr(transformers.trainer, "get_reporting_integration_callbacks", callbacks)
    return found


def with_reports(contents, *names):
    return {**contents, "training": {**contents["training"], "max_steps": 2, "report_to": names}}


def test_nothing_is_reported_unless_the_file_says_so(small_run, asked, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    train(with_reports(small_run()))
    assert asked == [[]]


def test_the_names_are_handed_to_transformers(small_run, asked, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    train(with_reports(small_run(), "wandb", "mlflow", "trackio", "swanlab"))
    assert asked == [["wandb", "mlflow", "trackio", "swanlab"]]


@pytest.mark.skipif(
    not any(map(importlib.util.find_spec, ("tensorboard", "tensorboardX"))),
    reason="needs pip install tensorboard",
)
def test_tensorboard_finds_the_figures_in_the_run_folder(small_run):
    folder = train(with_reports(small_run(validation=3), "tensorboard"))
    (file,) = (folder.path / "tensorboard").glob("events.out.tfevents.*")
    written = file.read_bytes()
    for name in (b"train/loss", b"train/tokens", b"eval/validation_loss"):
        assert name in written
    assert not list(folder.checkpoints.glob("runs*"))
