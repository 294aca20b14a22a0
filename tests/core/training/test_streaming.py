"""Rows that are streamed: the same as those that are prepared, and resumed at the right one."""

import json
from itertools import islice

import pytest
import safetensors.torch
import torch

from luthier.core import BadData, check, resume, train
from luthier.core.data.preparation import prepare
from luthier.core.model.opening import locate, model_spec
from luthier.core.problems import BadRunFile
from luthier.core.training.streaming import StreamedBlocks, shuffled
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
    stream = prepared({**run, "mix": {**run["mix"], "streaming": True, "shuffle_buffer": 4}})
    passes = [[(row["input_ids"], row["labels"]) for row in stream.one_pass(n)] for n in (0, 0, 1)]
    assert all(sorted(one) == sorted(whole) for one in passes)
    assert passes[0] == passes[1]
    assert passes[0] != passes[2]
    endless = [(row["input_ids"], row["labels"]) for row in islice(stream, 2 * len(whole))]
    assert endless == passes[0] + passes[2]


def test_a_shuffle_gives_each_row_once_and_not_far_ahead():
    rows = list(shuffled(range(100), 10, seed=1))
    assert sorted(rows) == list(range(100)) != rows
    assert all(place >= row - 10 for place, row in enumerate(rows))


def test_blocks_of_a_stream_lose_no_token_but_the_last_ones():
    rows = [{"input_ids": list(range(n, n + 5)), "labels": [n] * 5} for n in (0, 5, 10)]
    blocks = list(StreamedBlocks(rows, 4))
    assert [block["input_ids"] for block in blocks] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert blocks[1]["labels"] == [0, 5, 5, 5]


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


def test_a_stream_wants_an_end_and_is_not_packed(small_run):
    endless = small_run(mix={"streaming": True}, training={"epochs": 1})
    with pytest.raises(BadRunFile, match=r"mix\.streaming.*\n.*training\.max_steps"):
        check(endless)
    with pytest.raises(BadData, match="packing looks at all rows"):
        train(small_run(mix={"streaming": True}, stage={"name": "sft", "packing": True}))
