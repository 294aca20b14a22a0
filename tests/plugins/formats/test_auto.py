"""The format that the first row tells, and what is said of it."""

import logging
from pathlib import Path

import pytest

from luthier.core.data import Conversation, Text, Tokens
from luthier.core.data.dataset import BadRow, standardized
from luthier.plugins.formats.auto import guessed

MESSAGE, TURN = {"role": "user", "content": "Who?"}, {"from": "human", "value": "Who?"}

TOLD = [
    ({"instruction": "a", "input": "", "output": "b"}, "alpaca"),
    ({"instruction": "a", "output": "[1, 2]"}, "alpaca"),
    ({"question": "a", "answer": "b", "id": 3}, "alpaca"),
    ({"conversations": [TURN], "system": "x"}, "sharegpt"),
    ({"dialogue": [TURN]}, "sharegpt"),
    ({"messages": [MESSAGE], "tools": "[]"}, "openai"),
    ({"conversation": [MESSAGE]}, "openai"),
    ({"prompt": "a", "completion": "b"}, "openai"),
    ({"prompt": [MESSAGE], "completion": [MESSAGE]}, "openai"),
    ({"prompt": "a", "chosen": "b", "rejected": "c"}, "preference"),
    ({"chosen": [MESSAGE], "rejected": [MESSAGE]}, "preference"),
    ({"instruction": "a", "output": ["b", "c"]}, "preference"),
    ({"prompt": "a", "completion": "b", "label": False}, "kto"),
    ({"instruction": "a", "output": "b", "kto_tag": True}, "kto"),
    ({"input_ids": [1], "labels": [1], "attention_mask": [1]}, "pretokenized"),
    ({"text": "a", "url": "b"}, "text"),
    ({"text": "a", "label": 1}, "text"),
    ({"prompt": "a", "response": "b", "label": True}, "kto"),
    ({"question": "a", "answer": "b", "label": "sums"}, "alpaca"),
    ({"instruction": "a", "output": 3}, "alpaca"),
    ({"conversations": None}, "sharegpt"),
    ({"messages": [], "id": 1}, "openai"),
]


@pytest.mark.parametrize(("row", "name"), TOLD, ids=[f"{row}" for row, _ in TOLD])
def test_columns_and_what_they_hold_tell_the_format(row, name):
    found = guessed(row)
    assert (found.name, found.plugin.called) == (name, name)


def test_what_was_guessed_is_said_and_kept(spec_of, caplog):
    rows = [{"conversations": [TURN, {"from": "gpt", "value": "Me."}]}]
    with caplog.at_level(logging.INFO, "luthier"):
        found = standardized(spec_of(rows, format="auto"))
    assert found.note == "format: sharegpt (there is a column 'conversations' of from and value)"
    assert caplog.messages == [found.note]
    assert isinstance(next(iter(found)), Conversation)


def test_a_guess_brings_the_columns_that_it_found(spec_of):
    questions = spec_of([{"question": "Who?", "answer": "Me."}], format="auto")
    (found,) = standardized(questions)
    assert (found.prompt[0]["content"], found.response[0]["content"]) == ("Who?", "Me.")
    inputs = spec_of([{"input": "Who?", "output": "Me."}], format="auto")
    assert next(iter(standardized(inputs))) == found
    assert list(standardized(spec_of([{"content": "x"}], format="auto"))) == [Text("x")]


def test_a_few_odd_rows_at_the_start_do_not_tell_the_format(spec_of):
    rows = ["{", '{"weather": "fine"}', '{"text": "a"}']
    rows += [f'{{"question": "{n}", "answer": "b"}}' for n in range(9)]
    found = standardized(spec_of("\n".join(rows), format="auto", bad_rows="drop"))
    columns = "there are columns 'question' and 'answer'"
    assert found.note == f"format: alpaca ({columns} in 9 of the first 12 rows)"
    assert [isinstance(row, Conversation) for row in found.read()] == [False] * 3 + [True] * 9


def test_where_no_row_tells_a_format_the_first_is_named(spec_of):
    with pytest.raises(BadRow, match=r"data\.jsonl:1:2: no JSON"):
        standardized(spec_of('{\n{"weather": "fine"}\n', format="auto"))


def test_what_was_judged_is_asked_and_answered_in_the_columns_that_were_found(spec_of):
    rows = [{"query": "Who?", "response": "Me.", "label": "false"}]
    (found,) = standardized(spec_of(rows, format="auto"))
    assert not found.desirable
    assert (found.prompt[0]["content"], found.response[0]["content"]) == ("Who?", "Me.")


def test_ids_are_taken_as_they_are(spec_of):
    rows = [{"input_ids": [1, 2], "labels": [-100, 2]}, {"input_ids": [3]}]
    found = standardized(spec_of(rows, format="pretokenized"))
    assert list(found) == [Tokens([1, 2], [-100, 2]), Tokens([3])]


SAMPLES = sorted((Path(__file__).parents[3] / "examples" / "data").glob("formats-*.jsonl"))


@pytest.mark.parametrize("file", SAMPLES, ids=[file.stem for file in SAMPLES])
def test_each_sample_file_is_of_the_format_in_its_name(spec_of, file):
    name = file.stem.removeprefix("formats-")
    declared = list(standardized(spec_of(file.read_text(), format=name)))
    guess = standardized(spec_of(file.read_text(), format="auto"))
    assert guess.note.startswith(f"format: {name} (")
    assert list(guess) == declared
    assert len(declared) == 8


def test_there_is_a_sample_of_each_format():
    assert len(SAMPLES) == 7
