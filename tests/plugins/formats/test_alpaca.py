"""Rows of instruction, input and output: what they become, and what is said of bad ones."""

import json

import pytest

from luthier.core import BadData
from luthier.core.data import Conversation
from luthier.core.data.dataset import standardized

ROW = {"instruction": "Add.", "input": "1, 2", "output": "3"}


def first(spec):
    return next(iter(standardized(spec)))


def test_instruction_and_input_are_the_prompt_and_output_the_response(spec_of):
    assert first(spec_of([ROW], format="alpaca")) == Conversation(
        [{"role": "user", "content": "Add.\n1, 2"}], [{"role": "assistant", "content": "3"}]
    )


def test_system_and_history_come_before(spec_of):
    row = {**ROW, "system": "Be brief.", "history": [["Hi.", "Hello."]]}
    found = first(spec_of([row], format="alpaca"))
    assert found.system == "Be brief."
    assert [m["content"] for m in found.prompt] == ["Hi.", "Hello.", "Add.\n1, 2"]
    assert [m["role"] for m in found.prompt] == ["user", "assistant", "user"]


def test_columns_may_have_other_names(spec_of):
    declared = {"name": "alpaca", "instruction": "question", "output": "answer"}
    spec = spec_of([{"question": "Who?", "answer": "Me."}], format=declared)
    assert first(spec).response[0]["content"] == "Me."


BAD = [
    ({"instruction": "", "input": "", "output": "x"}, "both empty"),
    ({"instruction": "x", "input": "", "output": ""}, "'output' is empty"),
    ({"instruction": "x", "input": None, "output": None}, "'output' is empty"),
    ({"instruction": "x", "input": "", "output": "y", "history": [["a"]]}, "no pair"),
]


@pytest.mark.parametrize(("row", "said"), BAD, ids=[said for _, said in BAD])
def test_a_bad_row_is_named_with_its_file_its_number_and_what_to_do(spec_of, row, said):
    with pytest.raises(BadData, match=rf"data\.jsonl, row 2: .*{said}") as fault:
        list(
            standardized(spec_of([{**ROW, "history": []}, {"history": [], **row}], format="alpaca"))
        )
    assert "\n    " in str(fault.value)


def test_a_text_that_is_a_number_is_named(spec_of):
    with pytest.raises(BadData, match="row 1: the field 'output' is 3, no text"):
        list(standardized(spec_of([{**ROW, "output": 3}], format="alpaca")))


def test_a_missing_column_is_answered_with_those_there_are(spec_of):
    declared = {"name": "alpaca", "instruction": "question"}
    spec = spec_of([{"question": "a", "answer": "b"}], format=declared)
    with pytest.raises(BadData, match=r"no column 'output'; there are: question, answer"):
        list(standardized(spec))


def test_functions_are_told_with_the_row_and_a_history_of_null_is_none(spec_of):
    tool = {"type": "function", "function": {"name": "add"}}
    rows = [{**ROW, "history": None, "tools": told} for told in ([tool], json.dumps([tool]), None)]
    found = list(standardized(spec_of(rows, format="alpaca")))
    assert [one.tools for one in found] == [[tool], [tool], ""]
    assert [len(one.prompt) for one in found] == [1, 1, 1]
