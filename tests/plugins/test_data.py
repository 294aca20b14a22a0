"""Formats and sources: what rows become, and what is said of bad ones."""

import json

import pytest
from datasets import Dataset

from luthier.core import BadData, LuthierError, check, train
from luthier.core.data.dataset import BadValue, aligned, standardized

ROW = {"instruction": "Add.", "input": "1, 2", "output": "3"}


@pytest.fixture
def spec_of(tmp_path):
    """Write rows to a file of the run and return the dataset as the run file declares it."""

    def make(rows, name="data.jsonl", **declared):
        file = tmp_path / name
        if isinstance(rows, str):
            file.write_text(rows)
        else:
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return check({"data": [{"path": str(file), **declared}]}).data[0]

    return make


def first(spec):
    return standardized(spec)[0]


def test_instruction_and_input_are_the_prompt_and_output_the_response(spec_of):
    assert first(spec_of([ROW])) == {
        "prompt": [{"role": "user", "content": "Add.\n1, 2"}],
        "response": [{"role": "assistant", "content": "3"}],
        "system": "",
        "tools": "",
    }


def test_system_and_history_come_before(spec_of):
    row = {**ROW, "system": "Be brief.", "history": [["Hi.", "Hello."]]}
    found = first(spec_of([row]))
    assert found["system"] == "Be brief."
    assert [m["content"] for m in found["prompt"]] == ["Hi.", "Hello.", "Add.\n1, 2"]
    assert [m["role"] for m in found["prompt"]] == ["user", "assistant", "user"]


def test_columns_may_have_other_names(spec_of):
    declared = {"name": "alpaca", "instruction": "question", "output": "answer"}
    spec = spec_of([{"question": "Who?", "answer": "Me."}], format=declared)
    assert first(spec)["response"][0]["content"] == "Me."


def test_variables_are_put_in_wherever_they_stand(spec_of):
    spec = spec_of([{**ROW, "output": "I am {{name}}."}], variables={"name": "Luthier"})
    assert first(spec)["response"][0]["content"] == "I am Luthier."


def test_samples_takes_rows_from_the_start(spec_of):
    rows = [{**ROW, "output": str(n)} for n in range(5)]
    taken = standardized(spec_of(rows, samples=2))
    assert [row["response"][0]["content"] for row in taken] == ["0", "1"]


BAD = [
    ({"instruction": "", "input": "", "output": "x"}, "both empty"),
    ({"instruction": "x", "input": "", "output": ""}, "'output' is empty"),
    ({"instruction": "x", "input": None, "output": None}, "'output' is empty"),
    ({"instruction": "x", "input": "", "output": "y", "history": [["a"]]}, "no pair"),
]


@pytest.mark.parametrize(("row", "said"), BAD, ids=[said for _, said in BAD])
def test_a_bad_row_is_named_with_its_file_its_number_and_what_to_do(spec_of, row, said):
    with pytest.raises(BadData, match=rf"data\.jsonl, row 2: .*{said}") as fault:
        standardized(spec_of([{**ROW, "history": []}, {"history": [], **row}]))
    assert "\n    " in str(fault.value)


def test_a_text_that_is_a_number_is_named(spec_of):
    with pytest.raises(BadData, match="row 1: the field 'output' is 3, no text"):
        standardized(spec_of([{**ROW, "output": 3}]))


def test_a_missing_column_is_answered_with_those_there_are(spec_of):
    with pytest.raises(BadData, match=r"no column 'output'; there are: question, answer"):
        standardized(spec_of([{"question": "a", "answer": "b"}], format={
            "name": "alpaca", "instruction": "question"}))  # fmt: skip


def test_a_fault_of_a_format_itself_keeps_its_traceback_and_names_the_row(spec_of):
    spec = spec_of([ROW])

    def broken(row):
        return int(row["output"] + "x")

    with pytest.raises(ValueError, match="invalid literal") as fault:
        aligned(Dataset.from_list([ROW]), spec, broken)
    assert "in row 1 of" in "".join(fault.value.__notes__)
    assert issubclass(BadValue, Exception)


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


def test_a_set_of_the_hub_that_cannot_be_reached_is_named():
    spec = check({"data": ["hf:nobody/nothing"]}).data[0]
    assert spec.location == "nobody/nothing"
    assert spec.source.name == "hf"
    with pytest.raises(BadData, match="nobody/nothing cannot be loaded"):
        standardized(spec)


def test_a_model_of_the_hub_that_cannot_be_reached_is_named(small_run):
    run = small_run(model={"path": "nobody/nothing"}, template="chatml")
    assert check(run).family is None
    with pytest.raises(
        LuthierError, match="no folder nobody/nothing here, and the Hub gives no model"
    ):
        train(run)


# --- encoded rows --------------------------------------------------------------------------------


def test_a_row_that_is_too_long_is_an_error_that_names_it(small_run):
    with pytest.raises(BadData, match=r"row \d+: it has \d+ tokens.*encoding\.max_length is 40"):
        train(small_run(encoding={"max_length": 40}))


def test_rows_that_are_too_long_are_dropped_and_counted_when_told(small_run):
    folder = train(small_run(encoding={"max_length": 40, "overflow": "drop"}))
    data = json.loads(folder.manifest.read_text())["data"]
    assert data["rows"] + data["dropped"] == 12
    assert data["dropped"] > 0


def test_a_run_of_which_no_row_is_left_is_refused(small_run):
    with pytest.raises(BadData, match="no row is left"):
        train(small_run(encoding={"max_length": 3, "overflow": "drop"}))


def test_several_datasets_are_joined(small_run, data_file):
    folder = train(small_run(data=[str(data_file), {"path": str(data_file), "samples": 3}]))
    assert json.loads(folder.manifest.read_text())["data"]["rows"] == 15
