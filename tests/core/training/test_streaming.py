"""Rows that are streamed: the same as those that are prepared, and resumed at the right one."""

import json
import random
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest
import safetensors.torch
import torch

from luthier.core import BadData, check, resume, train
from luthier.core.data.arrangement import Chopping, Packing, Unarranged
from luthier.core.data.drawing import Shuffled
from luthier.core.data.encoding import Encoder
from luthier.core.data.preparation import prepare
from luthier.core.data.rows import Rows
from luthier.core.model.opening import locate, model_spec
from luthier.core.problems import BadRunFile
from luthier.core.training.trainer import Trainer
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


STAGES = {
    "rows": {"stage": "sft"},
    "packs": {"stage": {"name": "sft", "packing": True}, "encoding": {"max_length": 128}},
    "blocks": {"stage": "pt", "encoding": {"max_length": 32, "overflow": "split"}},
}


@pytest.fixture
def small_windows(monkeypatch):
    """Windows of few rows, so that a pass of twelve has several."""
    for one in (Unarranged, Packing, Chopping):
        monkeypatch.setattr(one, "window", 5)


@pytest.fixture
def stopped(monkeypatch):
    """Train a run file and interrupt it in a step."""

    def train_until(contents, step):
        original, calls = Trainer.training_step, []

        def dying(self, *arguments):
            calls.append(1)
            if len(calls) == step:
                raise KeyboardInterrupt
            return original(self, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "training_step", dying)
            with pytest.raises(KeyboardInterrupt):
                train(contents)

    return train_until


@pytest.fixture
def streamed_run(small_run, data_file, tmp_path):
    """Return what makes a streamed run file, of a text for each row where its stage is `pt`."""

    def contents(name, kind, **changes):
        texts = tmp_path / "texts.jsonl"
        lines = data_file.read_text().splitlines()
        texts.write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
        return small_run(
            training={"max_steps": 9, "batch_size": 2, "log_every": 1},  # more than one pass
            mix={"streaming": True, "shuffle_buffer": 5},
            output=str(tmp_path / name),
            **({"data": [str(texts)]} if kind == "blocks" else {}),
            **STAGES[kind],
            **changes,
        )

    return contents


@pytest.mark.parametrize("kind", STAGES)
@pytest.mark.usefixtures("small_windows")
def test_a_stopped_run_goes_on_at_the_right_row(streamed_run, stopped, tmp_path, kind):
    whole = train(streamed_run("whole", kind))
    stopped(streamed_run("stopped", kind), step=8)
    again = resume(tmp_path / "stopped")
    found, expected = weights_of(again), weights_of(whole)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    logged = [
        [
            {**json.loads(line), "tokens_per_second": 0}
            for line in f.metrics.read_text().splitlines()
        ]
        for f in (again, whole)
    ]
    assert logged[0] == logged[1]
    assert data_of(again) == data_of(whole)


@pytest.mark.usefixtures("small_windows")
def test_rows_before_the_place_are_neither_encoded_nor_read(
    streamed_run, stopped, tmp_path, monkeypatch
):
    contents = streamed_run("run", "rows", data=[str(long_file(tmp_path, 200))])
    contents["training"] = {"max_steps": 80, "batch_size": 2}
    contents["checkpoints"] = {"every": 70}
    stopped(contents, step=75)
    encoded, begun = [], []
    conversations, of = Encoder.conversations, Rows.of

    def counted(self, rows):
        encoded.extend(rows)
        return conversations(self, rows)

    def opened(found):
        rows = of(found)
        return replace(rows, read=lambda start: begun.append(start) or rows.read(start))

    monkeypatch.setattr(Encoder, "conversations", counted)
    monkeypatch.setattr(Rows, "of", opened)
    folder = resume(tmp_path / "run")
    assert data_of(folder)["read"] == 160
    assert len(encoded) == 25  # those of the last ten steps, and the window that ended before
    assert min(begun[2:]) > 100  # the others were drawn by their numbers alone


@pytest.mark.parametrize("strategy", ["concatenate", "under", "over", "once"])
@pytest.mark.parametrize("arrangement", [Unarranged(), Packing(128), Chopping(32)])
@pytest.mark.usefixtures("small_windows")
def test_the_place_in_any_mix_is_found_again(small_run, data_file, tmp_path, strategy, arrangement):
    data = [{"path": str(data_file), "repeat": 2}, {"path": str(long_file(tmp_path, 31))}]
    mix = {"streaming": True, "strategy": strategy, "shuffle_buffer": 6}
    begun = prepared(small_run(data=data, mix=mix))
    for rank in range(2):
        begun.share = (rank, 2)
        stream = begun.arranged(arrangement)
        whole, states = [], [stream.state()]
        for item in islice(stream, 60):
            whole.append(item)
            states.append(json.loads(json.dumps(stream.state())))
        for taken in range(0, 50, 7):
            again = begun.arranged(arrangement)
            again.restore(states[taken])
            assert list(islice(again, 10)) == whole[taken : taken + 10]


def long_file(folder, rows):
    file = folder / "long.jsonl"
    text = '{"instruction": "Say it.", "output": "It is row %d."}\n'
    file.write_text("".join(text % n for n in range(rows)))
    return file


def data_of(folder):
    return json.loads(folder.manifest.read_text())["data"]


@pytest.mark.usefixtures("small_windows")
def test_packs_of_a_stream_lose_no_row_at_the_end_of_a_pass(streamed_run):
    contents = streamed_run("packs", "packs")
    run = check(contents)
    whole = [row["input_ids"] for row in prepared({**contents, "mix": {}})]
    stream = prepared(contents).arranged(Packing(run.encoding.max_length))
    found = []
    for pack in stream:
        assert sum(len(row["input_ids"]) for row in pack) <= 128
        found += [row["input_ids"] for row in pack]
        if len(found) >= len(whole):
            break
    assert sorted(found) == sorted(whole)


def test_a_stream_is_repeated_in_whole_passes(small_run, data_file, tmp_path):
    once = long_file(tmp_path, 4)
    data = [{"path": str(data_file)}, {"path": str(once), "repeat": 3}]
    rows = prepared(small_run(data=data, mix={"streaming": True}))
    counted = Counter(tuple(row["input_ids"]) for row in islice(rows, 12 + 3 * 4))
    assert sorted(counted.values()) == [1] * 12 + [3] * 4


def test_a_stream_gives_rows_by_weight(small_run, data_file, tmp_path):
    other = long_file(tmp_path, 400)
    data = [{"path": str(data_file), "weight": 0.1}, {"path": str(other), "weight": 0.9}]
    mix = {"streaming": True, "strategy": "over", "shuffle_buffer": 1}
    rows = prepared(small_run(data=data, mix=mix))
    few = {tuple(row["input_ids"]) for row in prepared(small_run())}
    drawn = [tuple(row["input_ids"]) in few for row in islice(rows, 400)]
    assert 20 <= sum(drawn) <= 60


@pytest.mark.usefixtures("small_windows")
def test_what_became_of_streamed_rows_is_told_at_the_end(
    streamed_run, stopped, data_file, tmp_path
):
    rows = data_file.read_text().splitlines()
    rows[3:3] = ['{"instruction": "What?", "output": ""}', '{"nothing": 1}']
    data_file.write_text("\n".join(rows))
    declared = {"path": str(data_file), "format": "alpaca", "bad_rows": "drop"}
    encoding = {"max_length": 50, "overflow": "drop"}
    folders = []
    for name in ("whole", "stopped"):
        contents = {**streamed_run(name, "rows", data=[declared]), "encoding": encoding}
        if name == "whole":
            folders.append(train(contents))
        else:
            stopped(contents, step=8)
            folders.append(resume(tmp_path / name))
    for folder in folders:
        facts = data_of(folder)
        assert facts["bad"] >= 2
        assert facts["too_long"] >= 1
        assert facts["read"] == facts["rows"] + facts["dropped"]
        assert facts["trained_tokens"] > 0
        told = [json.loads(line) for line in folder.rejected.read_text().splitlines()]
        numbers = [one["row"] for one in told]
        assert {4, 5} < set(numbers)
        assert len(numbers) == len(set(numbers))  # those of a second pass are not told again
    assert data_of(folders[0]) == data_of(folders[1])
    assert folders[0].rejected.read_text() == folders[1].rejected.read_text()


def test_a_row_behind_those_that_are_held_out_is_told_by_its_own_number(streamed_run, data_file):
    rows = data_file.read_text().splitlines()
    rows[7] = '{"nothing": 1}'
    data_file.write_text("\n".join(rows))
    declared = {"path": str(data_file), "format": "alpaca", "bad_rows": "drop"}
    folder = train({**streamed_run("held-out", "rows", data=[declared]), "validation": 3})
    (told,) = [json.loads(line) for line in folder.rejected.read_text().splitlines()]
    assert told["row"] == 8


def test_rows_of_a_stream_that_do_not_suit_the_template_are_told_at_the_end(streamed_run):
    folder = train({**streamed_run("thoughtless", "rows"), "template": "qwen3"})
    assert "rows have no thoughts, and the chat template 'qwen3'" in folder.log.read_text()


def test_a_row_that_is_drawn_twice_is_told_once(streamed_run, data_file, tmp_path):
    few = tmp_path / "few.jsonl"
    few.write_text('{"nothing": 1}\n{"instruction": "Who?", "output": "I am."}\n')
    data = [{"path": str(one), "format": "alpaca", "bad_rows": "drop"} for one in (data_file, few)]
    mix = {"strategy": "over", "streaming": True, "shuffle_buffer": 2}
    folder = train({**streamed_run("twice", "rows", data=data), "mix": mix})
    told = [json.loads(line) for line in folder.rejected.read_text().splitlines()]
    assert [(one["dataset"], one["row"]) for one in told] == [(str(few), 1)]


def test_a_stream_of_rows_that_are_all_held_out_is_an_error(streamed_run):
    with pytest.raises(BadData, match="all are held out for validation"):
        train({**streamed_run("none", "rows"), "validation": 12})


def test_a_stream_of_which_no_row_is_left_is_an_error(streamed_run):
    encoding = {"max_length": 4, "overflow": "drop"}
    with pytest.raises(BadData, match="no row is left of those that are streamed"):
        train({**streamed_run("none", "rows"), "encoding": encoding})


def test_processes_share_a_stream(small_run):
    contents = small_run(mix={"streaming": True, "shuffle_buffer": 4})
    whole = [row["input_ids"] for row in islice(prepared(contents), 12)]
    shares = []
    for number in range(2):
        stream = prepared(contents)
        stream.share = (number, 2)
        shares.append([row["input_ids"] for row in islice(stream, 6)])
    assert shares == [whole[::2], whole[1::2]]


def test_a_stream_is_not_repeated_in_part(small_run, data_file):
    repeated = [{"path": str(data_file)}, {"path": str(data_file), "repeat": 1.5}]
    with pytest.raises(BadRunFile, match=r"data\.1\.repeat: rows are streamed"):
        check(small_run(data=repeated, mix={"streaming": True}))


def test_a_stream_wants_an_end(small_run):
    endless = small_run(mix={"streaming": True}, training={"epochs": 1})
    with pytest.raises(BadRunFile, match=r"mix\.streaming.*\n.*training\.max_steps"):
        check(endless)
