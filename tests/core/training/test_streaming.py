"""Rows that are streamed: the same as those that are prepared, and resumed at the right one."""

import json
import random
from itertools import islice

import pytest
import safetensors.torch
import torch

from luthier.core import BadData, check, resume, train
from luthier.core.data.arrangement import Chopping
from luthier.core.data.drawing import Shuffled
from luthier.core.data.preparation import prepare
from luthier.core.model.opening import locate, model_spec
from luthier.core.problems import BadRunFile
from luthier.core.wiring import manager_of


def prepared(contents):
    run = check(contents)
    return prepare(run, locate(model_spec(run, training=True)), manager_of(run.selected)).dataset


@pytest.mark.parametrize("strategy", ["concatenate", "once"])
def test_a_pass_holds_the_rows_that_are_prepared(small_run, data_file, tmp_path, strategy):
    other = tmp_path / "other.jsonl"
    other.write_text('{"instruction": "Who?", "output": "I am Luthier."}\n' * 3)
    run = small_run(data=[str(data_file), str(other)], mix={"strategy": strategy})
    whole = [(row["input_ids"], row["labels"]) for row in prepared(run)]
    streamed = {**run, "mix": {**run["mix"], "streaming": True, "shuffle_buffer": 4}}
    stream, again = (
        [(row["input_ids"], row["labels"]) for row in islice(prepared(streamed), 2 * len(whole))]
        for _ in range(2)
    )
    first, second = stream[: len(whole)], stream[len(whole) :]
    assert sorted(first) == sorted(second) == sorted(whole)
    assert first != second
    assert stream == again


def test_a_shuffle_gives_each_row_once_and_not_far_ahead():
    rows = list(Shuffled(range(100), 10, seed=1))
    assert sorted(rows) == list(range(100)) != rows
    assert all(place >= row - 10 for place, row in enumerate(rows))


def test_blocks_of_a_stream_lose_no_token_but_the_last_ones():
    rows = [{"input_ids": list(range(n, n + 5)), "labels": [n] * 5} for n in (0, 5, 10)]
    blocks, held = Chopping(4)(rows[:1], {}, random.Random(1))
    assert [block["input_ids"] for block in blocks] == [[0, 1, 2, 3]]
    blocks, held = Chopping(4)(rows[1:], held, random.Random(1))
    assert [block["input_ids"] for block in blocks] == [[4, 5, 6, 7], [8, 9, 10, 11]]
    assert blocks[0]["labels"] == [0, 5, 5, 5]
    assert held == {"input_ids": [12, 13, 14], "labels": [10, 10, 10]}


def weights_of(folder):
    (file,) = folder.model.glob("*model.safetensors")
    return safetensors.torch.load_file(file)


def test_a_stopped_run_goes_on_at_the_right_row(small_run, tmp_path, monkeypatch):
    from luthier.core.training.trainer import Trainer

    def contents(name):
        training = {"max_steps": 9, "batch_size": 2, "log_every": 1}  # more than one pass
        mix = {"streaming": True, "shuffle_buffer": 5}
        return small_run(training=training, mix=mix, output=str(tmp_path / name))

    whole = train(contents("whole"))
    original, calls = Trainer.training_step, []

    def step(self, *arguments):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "training_step", step)
        with pytest.raises(KeyboardInterrupt):
            train(contents("stopped"))
    stopped = resume(tmp_path / "stopped")
    found, expected = weights_of(stopped), weights_of(whole)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    last = [json.loads(f.metrics.read_text().splitlines()[-1])["loss"] for f in (stopped, whole)]
    assert last[0] == last[1]


def test_a_stream_is_not_repeated_in_part(small_run, data_file):
    repeated = [{"path": str(data_file)}, {"path": str(data_file), "repeat": 1.5}]
    with pytest.raises(BadRunFile, match=r"data\.1\.repeat: rows are streamed"):
        check(small_run(data=repeated, mix={"streaming": True}))


def test_a_stream_wants_an_end(small_run):
    endless = small_run(mix={"streaming": True}, training={"epochs": 1})
    with pytest.raises(BadRunFile, match=r"mix\.streaming.*\n.*training\.max_steps"):
        check(endless)
