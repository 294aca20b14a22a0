"""Rows of like length in a step: fewer pads, the same rows, the same order after a resume."""

import json

import pytest
import torch

from luthier.core import resume, train
from luthier.core.problems import BadRunFile
from luthier.core.training.grouping import GroupedByLength


@pytest.fixture
def rows():
    import datasets

    return datasets.Dataset.from_dict({"input_ids": [[0] * (n % 17 + 1) for n in range(170)]})


def test_rows_of_a_step_are_of_like_length(rows):
    order = GroupedByLength(rows, 4, seed=1)
    first, again = list(order), list(order)
    assert sorted(first) == list(range(170))
    assert first == again
    lengths = torch.tensor([n % 17 + 1 for n in first])
    pads = sum(int((part.max() - part).sum()) for part in lengths.split(4))
    assert pads < 0.15 * lengths.sum()
    order.set_epoch(1)
    assert list(order) != first


def test_a_grouped_run_goes_on_in_the_same_order(small_run, tmp_path, monkeypatch):
    from luthier.core.training.trainer import Trainer

    def contents(name):
        training = {"max_steps": 9, "batch_size": 2, "log_every": 1, "group_by_length": True}
        return small_run(training=training, output=str(tmp_path / name))

    def losses(folder):
        return [json.loads(line)["loss"] for line in folder.metrics.read_text().splitlines()]

    whole = train(contents("whole"))
    original, calls = Trainer.training_step, []

    def dying(self, *arguments):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "training_step", dying)
        with pytest.raises(KeyboardInterrupt):
            train(contents("stopped"))
    assert losses(resume(tmp_path / "stopped")) == losses(whole)


@pytest.mark.parametrize(
    "changes",
    [{"mix": {"streaming": True}}, {"stage": {"name": "sft", "packing": True}}],
    ids=["streamed", "packed"],
)
def test_what_has_no_lengths_is_not_grouped(small_run, changes):
    training = {"max_steps": 1, "batch_size": 2, "group_by_length": True}
    with pytest.raises(BadRunFile, match="turn packing or streaming off"):
        train(small_run(training=training, **changes))
