"""Datasets of the Hub, without one."""

import json

import pytest

from luthier.core import BadData, check
from luthier.core.data.dataset import standardized


def test_a_set_of_the_hub_that_cannot_be_reached_is_named():
    spec = of_folder("nobody/nothing")
    assert spec.location == "nobody/nothing"
    assert spec.source.name == "hf"
    with pytest.raises(BadData, match="nobody/nothing cannot be loaded"):
        standardized(spec)


def of_folder(folder, **declared):
    """Return a dataset by its id, or by the folder of this machine that it lies in."""
    return check({"data": [{"path": f"hf:{folder}", "format": "alpaca", **declared}]}).data[0]


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
