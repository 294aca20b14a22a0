"""Local files of rows, of each type."""

import json

import pytest
from datasets import Dataset

from luthier.core import BadData, check
from luthier.core.data.dataset import standardized
from luthier.core.problems import BadRunFile

ROW = {"instruction": "Add.", "input": "1, 2", "output": "3"}


@pytest.mark.parametrize("name", ["data.json", "data.jsonl", "data.csv", "data.parquet"])
def test_each_type_of_file_gives_the_same_rows(spec_of, tmp_path, name):
    rows = [{"instruction": "a", "input": "b", "output": "c"}] * 2
    table = Dataset.from_list(rows)
    file = tmp_path / "written"
    if name.endswith(".parquet"):
        table.to_parquet(file)
    elif name.endswith(".csv"):
        table.to_csv(file)
    else:
        text = json.dumps(rows) if name.endswith(".json") else "\n".join(map(json.dumps, rows))
        file.write_text(text)
    file.rename(tmp_path / name)
    spec = check({"data": [{"path": str(tmp_path / name)}]}).data[0]
    assert [row["prompt"][0]["content"] for row in standardized(spec)] == ["a\nb", "a\nb"]


def test_a_folder_of_files_is_read_in_the_order_of_their_names(tmp_path):
    for name in ("b", "a"):
        row = {"instruction": "x", "input": "", "output": name}
        (tmp_path / "set").mkdir(exist_ok=True)
        (tmp_path / "set" / f"{name}.jsonl").write_text(json.dumps(row))
    spec = check({"data": [str(tmp_path / "set")]}).data[0]
    assert [row["response"][0]["content"] for row in standardized(spec)] == ["a", "b"]


def test_a_file_that_is_no_json_is_named(spec_of):
    with pytest.raises(BadData, match=r"data\.jsonl:1:2: Expecting property name"):
        standardized(spec_of("{not json\n"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data.csv", "instruction,input,output\nWhat?,NA,2\nWhen?,None,2024-01-01\n"),
        (
            "data.jsonl",
            "\n".join(
                json.dumps({"instruction": q, "input": i, "output": o})
                for q, i, o in (("What?", "NA", "2"), ("When?", "None", "2024-01-01"))
            ),
        ),
    ],
)
def test_a_text_that_looks_like_a_number_or_a_date_stays_text(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    rows = standardized(check({"data": [{"path": str(tmp_path / name)}]}).data[0])
    assert [row["response"][0]["content"] for row in rows] == ["2", "2024-01-01"]
    assert [row["prompt"][0]["content"] for row in rows] == ["What?\nNA", "When?\nNone"]


def test_a_key_that_only_later_rows_have_is_read_too(spec_of):
    full = {**ROW, "system": "Be brief.", "history": [["Hi.", "Hello."]]}
    rows = standardized(spec_of([{"instruction": "Add.", "output": "3"}, full]))
    assert [row["system"] for row in rows] == ["", "Be brief."]
    assert [len(row["prompt"]) for row in rows] == [1, 3]
    assert rows[1]["prompt"][-1]["content"] == "Add.\n1, 2"


@pytest.mark.parametrize(
    "values", [["3", ["x"]], [["x"], "x"], [1, "x"], [{"a": 1}, "x"], [None, 2**70]]
)
def test_a_column_of_several_types_is_told_with_its_name_and_the_row(spec_of, values):
    rows = [ROW, *({**ROW, "note": value} for value in values), ROW]
    with pytest.raises(BadData, match=r"data\.jsonl, row 3: the field 'note' is .*type") as fault:
        standardized(spec_of(rows))
    assert "\n    Write the field alike" in str(fault.value)


def test_a_row_with_more_values_than_columns_is_told_with_its_line(spec_of):
    text = "instruction,output\nAdd.,3\nAdd 1, 2.,3\n"
    with pytest.raises(BadData, match=r"data\.csv:3: the row has more values .*double quotes"):
        standardized(spec_of(text, "data.csv"))


def test_a_row_that_is_no_object_is_told_with_what_to_write(spec_of):
    with pytest.raises(BadData, match=r"data\.jsonl, row 2: found 3, .* Write it as"):
        standardized(spec_of(json.dumps(ROW) + "\n3\n"))


@pytest.mark.parametrize("key", ["split", "subset"])
def test_a_part_of_a_file_cannot_be_named(spec_of, key):
    with pytest.raises(BadRunFile, match=rf"data\.0\.{key}: a file has no {key}s") as fault:
        spec_of([ROW], **{key: "test"})
    assert "name the file" in str(fault.value)
    assert spec_of([ROW], split="train")
