"""Rows of tables: what a row never had is not in it."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, Features, Json, List, Value
from pyarrow import ipc
from transformers import AutoTokenizer

from luthier.core import check
from luthier.core.data import Rows
from luthier.core.data.dataset import standardized
from luthier.core.data.encoding import Encoder
from luthier.core.data.padding import unpadded
from luthier.core.templates import load_template
from luthier.plugins.families.tiny.making import tiny_model


def calling(name, arguments, **tool):
    """Return a row in which a tool of its own is called."""
    parameters = {"type": "object", "properties": {key: {"type": "string"} for key in arguments}}
    call = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return {
        "messages": [
            {"role": "user", "content": "Go on."},
            {"role": "assistant", "content": "", "tool_calls": [call]},
        ],
        "tools": [
            {"type": "function", "function": {"name": name, **tool, "parameters": parameters}}
        ],
    }


ROWS = [calling("add", {"x": "1"}, description="Adds."), calling("say", {"y": "2"})]


@pytest.fixture(scope="module")
def ids_of():
    """Return what reads a file and gives the ids of its rows."""
    encoder = Encoder(load_template("qwen3"), AutoTokenizer.from_pretrained(tiny_model()))

    def ids_of(path):
        spec = check({"data": [{"path": str(path), "format": "openai"}]}).data[0]
        return [row[""].ids for row in encoder.conversations(list(standardized(spec)))]

    return ids_of


def test_rows_of_different_tools_are_the_same_in_lines_and_in_tables(tmp_path, ids_of):
    table = pa.Table.from_pylist(ROWS)
    assert table.to_pylist() != ROWS
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    pq.write_table(table, tmp_path / "a.parquet")
    with ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    Dataset(table).save_to_disk(tmp_path / "saved")
    expected = ids_of(tmp_path / "a.jsonl")
    for name in ("a.parquet", "a.arrow"):
        assert ids_of(tmp_path / name) == expected
    assert ids_of(f"saved:{tmp_path}/saved") == expected


def test_columns_that_are_null_stay_and_so_do_nulls_that_json_holds():
    told = {"a": None, "b": [None, {"c": None, "d": [{"e": 1, "f": None}]}], "g": '{"h": null}'}
    table = pa.Table.from_pylist([told])
    (row,) = map(unpadded(table.schema), table.to_pylist())
    assert row == {"a": None, "b": [None, {"d": [{"e": 1}]}], "g": '{"h": null}'}
    features = Features({"a": List({"b": Json(), "c": Value("int64")})})
    rows = Rows.of(Dataset.from_list([{"a": [{"b": {"d": None}, "c": None}]}], features=features))
    assert list(rows) == [{"a": [{"b": {"d": None}}]}]
