"""Datasets of the Hub, without one."""

import json
import os
import shutil

import pytest
from datasets import IterableDataset

from luthier.core import BadData, check
from luthier.core.data import Rows
from luthier.core.data.dataset import standardized
from luthier.core.problems import BadRunFile


def test_a_set_of_the_hub_that_cannot_be_reached_is_named():
    spec = of_folder("nobody/nothing")
    assert spec.location == "nobody/nothing"
    assert spec.source.name == "hf"
    with pytest.raises(BadData, match="nobody/nothing cannot be loaded"):
        standardized(spec)


def of_folder(folder, run=(), **declared):
    """Return a dataset by its id, or by the folder of this machine that it lies in."""
    data = [{"path": f"hf:{folder}", "format": "alpaca", **declared}]
    return check({**dict(run), "data": data}).data[0]


STREAMED = {"mix": {"streaming": True}, "training": {"max_steps": 1}}


def test_a_set_that_is_streamed_is_not_downloaded_first(tmp_path, monkeypatch):
    rows = [{"instruction": "x", "input": "", "output": f"{n}"} for n in range(1200)]
    file = tmp_path / "set" / "train.jsonl"
    file.parent.mkdir()
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    cache = tmp_path / "cache"
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", cache)
    whole = standardized(of_folder(tmp_path / "set"))
    assert list(cache.rglob("*.arrow"))
    shutil.rmtree(cache)
    streamed = standardized(of_folder(tmp_path / "set", STREAMED))
    assert list(streamed) == list(whole)
    assert list(streamed.read(1100)) == list(whole)[1100:]
    assert not list(cache.rglob("*.arrow"))
    again = standardized(of_folder(tmp_path / "set", STREAMED))
    assert again.rows.fingerprint == streamed.rows.fingerprint != whole.rows.fingerprint
    os.utime(file, (1, 1))
    changed = standardized(of_folder(tmp_path / "set", STREAMED))
    assert changed.rows.fingerprint != streamed.rows.fingerprint


def test_a_slice_cannot_be_streamed(tmp_path):
    with pytest.raises(BadRunFile, match=r"data\.0\.split: a part of a split"):
        of_folder(tmp_path, STREAMED, split="train[:10%]")
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(BadData, match="cannot be loaded: Bad split: test"):
        standardized(of_folder(tmp_path, STREAMED, split="test"))


def test_a_stream_of_a_source_of_ones_own_is_told_apart_by_what_makes_it():
    def rows_of(number):
        yield {"a": number}

    one, same, other = (
        Rows.of(IterableDataset.from_generator(rows_of, gen_kwargs={"number": number}))
        for number in (1, 1, 2)
    )
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert list(one) == [{"a": 1}]


def test_a_slice_of_a_split_and_chosen_files_are_taken(tmp_path):
    for name, count in (("a", 10), ("b", 4)):
        rows = [{"instruction": "x", "input": "", "output": f"{name}{n}"} for n in range(count)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"name": "hf", "data_files": ["a.jsonl"]}
    spec = of_folder(tmp_path, split="train[:20%]", source=source)
    assert [row.response[0]["content"] for row in standardized(spec)] == ["a0", "a1"]


def test_a_set_that_only_a_program_loads_is_refused_with_the_way_out(tmp_path):
    folder = tmp_path / "scripted"
    folder.mkdir()
    (folder / "scripted.py").write_text("raise RuntimeError('this was run')")
    with pytest.raises(BadData, match=r"(?s)No program of a dataset is run.*Parquet"):
        standardized(of_folder(folder / "scripted.py"))
