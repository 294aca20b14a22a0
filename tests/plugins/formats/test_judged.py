"""Pairs of answers and single judged ones, in each of the forms that they are written in."""

import pytest

from luthier.core.data import Judged, Preference
from luthier.core.data.dataset import standardized

QUESTION = {"role": "user", "content": "Who?"}
GOOD, BAD = {"role": "assistant", "content": "Me."}, {"role": "assistant", "content": "You."}
TURN = {"from": "human", "value": "Who?"}
SYSTEM = {"role": "system", "content": "Be brief."}

PAIRS = {
    "two outputs of an instruction": {"instruction": "Who?", "output": ["Me.", "You."]},
    "two outputs of a prompt": {"prompt": "Who?", "output": ["Me.", "You."]},
    "texts of a prompt": {"prompt": "Who?", "chosen": "Me.", "rejected": "You."},
    "texts of an instruction": {"instruction": "Who?", "chosen": "Me.", "rejected": "You."},
    "whole conversations": {"chosen": [QUESTION, GOOD], "rejected": [QUESTION, BAD]},
    "whole conversations beside their prompt": {
        "prompt": "Who?", "chosen": [QUESTION, GOOD], "rejected": [QUESTION, BAD],
    },
    "messages of a prompt": {"prompt": [QUESTION], "chosen": [GOOD], "rejected": [BAD]},
    "turns and two more": {
        "conversations": [TURN],
        "chosen": {"from": "gpt", "value": "Me."},
        "rejected": {"from": "gpt", "value": "You."},
    },
}  # fmt: skip


@pytest.mark.parametrize("row", PAIRS.values(), ids=PAIRS)
def test_a_preference_is_a_prompt_the_better_and_the_worse_answer(spec_of, row):
    (found,) = standardized(spec_of([row], format="preference"))
    assert isinstance(found, Preference)
    assert found == Preference([QUESTION], [GOOD, BAD])


def test_the_system_prompt_of_whole_conversations_stands_apart(spec_of):
    row = {"chosen": [SYSTEM, QUESTION, GOOD], "rejected": [SYSTEM, QUESTION, BAD]}
    (found,) = standardized(spec_of([row], format="preference"))
    assert found == Preference([QUESTION], [GOOD, BAD], "Be brief.")


TEXTS = [
    ("The sky is blue.", "The sky is green.", ("The sky is", "blue.", "green.")),
    ("The sky is blue.", "The sky is black.", ("The sky is", "blue.", "black.")),
    ("Who?\nMe. And you?", "Who?\nMe.", ("Who?", "Me. And you?", "Me.")),
    ("Human: Hi!\n\nAssistant:Hello.", "Human: Hi!\n\nAssistant: No.",
     ("Human: Hi!\n\nAssistant:", "Hello.", "No.")),
    ("天空是蓝的", "天空是绿的", ("天空是", "蓝的", "绿的")),
]  # fmt: skip


@pytest.mark.parametrize(("chosen", "rejected", "expected"), TEXTS)
def test_two_texts_without_a_prompt_ask_what_both_begin_with(spec_of, chosen, rejected, expected):
    (found,) = standardized(spec_of([{"chosen": chosen, "rejected": rejected}], format="auto"))
    said = [one["content"] for one in (*found.prompt, *found.response)]
    assert tuple(said) == expected


def test_input_and_history_are_asked_too(spec_of):
    row = {
        "instruction": "Add.", "input": "1, 2", "history": [["Hi.", "Hello."]],
        "chosen": "3", "rejected": "4", "system": "Count.",
    }  # fmt: skip
    (found,) = standardized(spec_of([row], format="preference"))
    assert [one["content"] for one in found.prompt] == ["Hi.", "Hello.", "Add.\n1, 2"]
    assert found.system == "Count."


JUDGED = {
    "a prompt and its completion": {"prompt": "Who?", "completion": "Me."},
    "messages of both": {"prompt": [QUESTION], "completion": [GOOD]},
    "alpaca's columns": {"instruction": "Who?", "input": "", "output": "Me."},
    "messages": {"messages": [QUESTION, GOOD]},
    "turns": {"conversations": [TURN, {"from": "gpt", "value": "Me."}]},
}


@pytest.mark.parametrize("row", JUDGED.values(), ids=JUDGED)
@pytest.mark.parametrize("column", ["label", "kto_tag"])
@pytest.mark.parametrize(("told", "desirable"), [(True, True), (False, False), ("False", False)])
def test_a_judged_answer_is_desirable_or_not(spec_of, row, column, told, desirable):
    (found,) = standardized(spec_of([{**row, column: told}], format="kto"))
    assert found == Judged([QUESTION], [GOOD], desirable=desirable)
