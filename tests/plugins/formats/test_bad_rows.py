"""Rows that are not of their format: the file, the row, the fault and the remedy are named."""

import pytest

from luthier.core import BadData
from luthier.core.data.dataset import BadRow, standardized

ASKED, TOLD = {"from": "human", "value": "Two and two?"}, {"from": "gpt", "value": "Four."}
CALLED = {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 2, "b": 2}}'}
SEEN = {"from": "observation", "value": "4"}
QUESTION, ANSWER = {"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Me."}
RESULT = {"role": "tool", "content": "4"}


def turns(*found):
    return {"conversations": list(found)}


def messages(*found):
    return {"messages": list(found)}


def calling(calls):
    return messages(QUESTION, {"role": "assistant", "content": None, "tool_calls": calls})


PAIR = {"prompt": "Who?", "chosen": "Me.", "rejected": "You."}
BROKEN = [
    ("text", {"body": "x"}, "no column 'text'; there are: body"),
    ("text", {"text": " "}, "'text' is empty, so there is nothing to learn"),
    ("text", {"text": 3}, "'text' is 3, no text"),
    ("prompts", {"prompt": ""}, "the column 'prompt' is empty in this row"),
    ("alpaca", {"instruction": "", "output": "x"}, "both empty"),
    ("alpaca", {"instruction": "x", "output": None}, "'output' is empty"),
    ("alpaca", {"instruction": "x", "output": "y", "history": [["a"]]}, "no pair"),
    ("alpaca", {"instruction": "x", "output": "y", "tools": "[{"}, "no JSON"),
    ("alpaca", {"instruction": "x", "output": "y", "tools": [{"a": 1}]}, "no list of functions"),
    ("sharegpt", {"messages": []}, "no column 'conversations'; there are: messages"),
    ("sharegpt", turns(), "no list of messages"),
    ("sharegpt", {"conversations": "Hello."}, "no JSON"),
    ("sharegpt", turns("Hello."), "message 1 of 'conversations' is 'Hello.'"),
    ("sharegpt", turns({"from": "pope", "value": "x"}, TOLD), "message 1 .* is from 'pope'"),
    ("sharegpt", turns(ASKED, {"from": "gpt", "value": 4}), "message 2 .* has 4 as its 'value'"),
    (
        "sharegpt",
        turns(ASKED, {"from": "gpt", "value": ""}),
        "message 2 .* is of the assistant and empty",
    ),
    ("sharegpt", turns(ASKED, ASKED), "message 2 .* is of the user, after the user"),
    ("sharegpt", turns(TOLD, ASKED), "message 1 .* at the start, where user was expected"),
    ("sharegpt", turns(ASKED, TOLD, TOLD), "message 3 .*after the assistant"),
    ("sharegpt", turns({"from": "system", "value": "x"}, ASKED), "message 2 .* the last"),
    ("sharegpt", turns({"from": "system", "value": "x"}), "the last and of the system"),
    ("sharegpt", turns(ASKED, SEEN, TOLD), "message 2 .* is of the tool, after the user"),
    ("sharegpt", turns(ASKED, CALLED, SEEN, SEEN, TOLD), "message 4 .* more than there are calls"),
    ("sharegpt", turns(ASKED, {**CALLED, "value": "add"}), "message 2 .* no call of a function"),
    ("sharegpt", turns(ASKED, {**CALLED, "value": "[]"}), "message 2 .* empty list of calls"),
    (
        "sharegpt",
        turns(ASKED, {**CALLED, "value": {"name": "add", "arguments": [1]}}),
        "calls 'add' with .1., no object",
    ),
    ("openai", {"chat": []}, "no column 'messages' or 'prompt'; there are: chat"),
    ("openai", {"prompt": "Who?"}, "no column 'completion'; there are: prompt"),
    ("openai", messages(QUESTION, {"role": "bot", "content": "x"}), "message 2 .* role 'bot'"),
    ("openai", messages({"content": "x"}), "message 1 of 'messages' is {'content': 'x'}"),
    ("openai", messages(QUESTION), "message 1 .* is the last and of the user"),
    ("openai", messages(ANSWER), "message 1 .* nothing is before it"),
    ("openai", messages(QUESTION, RESULT, ANSWER), "message 2 .* is of the tool, after the user"),
    (
        "openai",
        messages({"role": "user", "content": [{"type": "image_url"}]}, ANSWER),
        "message 1 .* no text and no part of text",
    ),
    ("openai", messages(QUESTION, {**ANSWER, "train": "no"}), "message 2 .* 'no' as its 'train'"),
    ("openai", messages(QUESTION, {**ANSWER, "weight": 0.5}), "message 2 .* 0.5 as its 'weight'"),
    ("openai", messages({**QUESTION, "train": True}, ANSWER), "message 1 .* is no answer"),
    ("openai", messages(QUESTION, {**ANSWER, "reasoning_content": 1}), "thoughts 1, no text"),
    ("openai", calling([{"type": "function"}]), "message 2 .* no call of a function"),
    ("openai", calling([{"function": {"name": "f", "arguments": "{a"}}]), "calls 'f' with '{a'"),
    ("openai", {"prompt": "Who?", "completion": ""}, "'completion' is empty"),
    (
        "openai",
        {"prompt": "Who?", "completion": [{"role": "system", "content": "x"}, ANSWER]},
        "message 1 of 'completion' is of the system",
    ),
    ("openai", {"prompt": [QUESTION], "completion": [RESULT, ANSWER]}, "message 1 .* of the tool"),
    (
        "openai",
        {"prompt": [QUESTION], "completion": [ANSWER, QUESTION]},
        "message 2 of 'completion'",
    ),
    (
        "kto",
        {"prompt": [QUESTION], "completion": [QUESTION], "label": 1},
        "message 1 of 'completion'",
    ),
    ("preference", {"prompt": "Who?"}, "no column 'chosen' or 'rejected' or 'output'"),
    ("preference", {"prompt": "Who?", "chosen": "Me."}, "no column 'rejected'"),
    ("preference", {"instruction": "Who?", "output": ["Me."]}, "expected were two texts"),
    ("preference", {"instruction": "Who?", "output": ["Me.", ""]}, "expected were two texts"),
    ("preference", {**PAIR, "rejected": "Me."}, "are the same"),
    ("preference", {**PAIR, "rejected": 7}, "'rejected' is 7, no text"),
    ("preference", {"chosen": "a", "rejected": "b"}, "no column 'prompt' or 'instruction'"),
    (
        "preference",
        {"chosen": [QUESTION, ANSWER], "rejected": [{**QUESTION, "content": "How?"}, ANSWER]},
        "differ before their last messages",
    ),
    ("preference", {**PAIR, "prompt": [QUESTION, ANSWER]}, "ends with an answer itself"),
    ("preference", {**PAIR, "chosen": [QUESTION]}, "'chosen' ends with no answer"),
    ("kto", {"prompt": "Who?", "completion": "Me."}, "no column 'label'"),
    ("kto", {"prompt": "Who?", "completion": "Me.", "label": "good"}, "'label' is 'good'"),
    ("kto", {"prompt": "Who?", "completion": "Me.", "kto_tag": None}, "'kto_tag' is None"),
    ("kto", {"prompt": "Who?", "label": True}, "no column 'completion' or 'output'"),
    ("kto", {**messages(QUESTION), "label": True}, "message 1 .* is the last and of the user"),
    ("kto", {**messages(QUESTION, QUESTION), "label": True}, "message 2 .* after the user"),
    ("pretokenized", {"ids": [1]}, "no column 'input_ids'"),
    ("pretokenized", {"input_ids": []}, "'input_ids' is empty"),
    ("pretokenized", {"input_ids": "1 2"}, "no JSON"),
    ("pretokenized", {"input_ids": 5}, "no list of whole numbers"),
    ("pretokenized", {"input_ids": [1, -2]}, "number 2 of 'input_ids' is -2"),
    ("pretokenized", {"input_ids": [True]}, "number 1 of 'input_ids' is True"),
    ("pretokenized", {"input_ids": [1, 2.0]}, "number 2 of 'input_ids' is 2.0"),
    ("pretokenized", {"input_ids": [1, 2], "labels": [1]}, "2 'input_ids' and 1 'labels'"),
    ("pretokenized", {"chosen_input_ids": [1]}, "no column 'input_ids'"),
    (
        "pretokenized",
        {"chosen_input_ids": [1], "rejected_input_ids": [1, 2], "rejected_labels": [1]},
        "2 'rejected_input_ids' and 1 'rejected_labels'",
    ),
    ("pretokenized", {"input_ids": [1], "labels": [-1]}, "number 1 of 'labels' is -1"),
    ("auto", {"weather": "fine", "wind": 3}, "no format fits its columns: weather, wind"),
    ("auto", {"prompt": "a"}, "beside 'prompt' there is no answer, as response or output"),
]


@pytest.mark.parametrize(("name", "row", "said"), BROKEN, ids=[f"{n}: {s}" for n, _, s in BROKEN])
def test_a_bad_row_is_named_with_its_file_its_number_and_what_to_declare(spec_of, name, row, said):
    with pytest.raises(BadRow, match=rf"data\.jsonl, row 1: .*{said}") as fault:
        list(standardized(spec_of([row], format=name)))
    remedy = str(fault.value).split("\n    ")[1]
    assert "`format: {name: " in remedy
    assert "COLUMN" in remedy or "NAME" in remedy or "KEY" in remedy
    assert len(str(fault.value)) < 900


def test_the_row_that_is_bad_is_counted_from_the_first_one(spec_of):
    with pytest.raises(BadData, match=r"data\.jsonl, row 3: .*'text' is empty"):
        list(standardized(spec_of([{"text": "a"}, {"text": "b"}, {"text": ""}], format="text")))
