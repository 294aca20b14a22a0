"""Standardized rows as ids: calls, tools and thoughts reach the template; a bad row is named."""

import json

import pytest
from transformers import AutoTokenizer

from luthier.core import BadData, train
from luthier.core.data import BadValue, Conversation, Text, Tokens
from luthier.core.data.encoding import Encoder
from luthier.core.sections import EncodingSection
from luthier.core.templates import load_template
from luthier.plugins.families.tiny.making import tiny_model

TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
CALL = {"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": [2, None]}}}
QUESTION = {"role": "user", "content": "One and two?"}
CALLING = {"role": "assistant", "content": "", "tool_calls": json.dumps([CALL])}
RESULT = {"role": "tool", "content": "3", "name": "add", "tool_call_id": "abcdefghi"}
ANSWER = {"role": "assistant", "content": "Three.", "reasoning_content": "A sum."}


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(tiny_model())


def test_calls_tools_and_thoughts_of_a_row_are_told_to_the_template(tokenizer):
    row = Conversation([QUESTION, CALLING, RESULT], [ANSWER], tools=json.dumps([TOOL]))
    plain = Conversation([QUESTION], [{"role": "assistant", "content": "Three."}])
    qwen = load_template("qwen3")
    found = Encoder(qwen, tokenizer).conversations([row, plain])
    chat = [QUESTION, {**CALLING, "tool_calls": [CALL]}, RESULT, ANSWER]
    expected = qwen.encode(chat, tokenizer, [TOOL])
    assert (found[0][""].ids, found[0][""].labels) == (expected.ids, expected.labels)
    text = tokenizer.decode(expected.ids)
    assert all(said in text for said in ('{"a": 1, "b": [2, null]}', "A sum.", "<tools>"))
    expected = qwen.encode([*plain.prompt, *plain.response], tokenizer)
    assert (found[1][""].ids, found[1][""].labels) == (expected.ids, expected.labels)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Conversation([QUESTION], [{**CALLING, "tool_calls": "add"}]), "`tool_calls` is 'add'"),
        (Conversation([QUESTION], [{**CALLING, "tool_calls": "[5]"}]), "5 is no call"),
        (Conversation([QUESTION], [ANSWER], tools="add"), "`tools` is 'add', no JSON"),
        (Conversation([QUESTION], [ANSWER], tools='["add"]'), "no list of objects"),
        (Conversation([{**QUESTION, "role": "judge"}], [ANSWER]), "'judge' is no role"),
    ],
)
def test_a_row_that_cannot_be_rendered_is_bad_and_the_others_are_not(tokenizer, row, said):
    good = Conversation([QUESTION], [ANSWER])
    encoder = Encoder(load_template("qwen3"), tokenizer)
    first, fault, last = encoder.conversations([good, row, good])
    assert first == last
    assert isinstance(fault, BadValue)
    assert said in fault.problem


def test_a_run_names_the_file_of_a_row_that_cannot_be_rendered(small_run, data_file):
    row = {"instruction": "a", "output": "b", "system": "c"}
    data_file.write_text(json.dumps({**row, "system": ""}) + "\n" + json.dumps(row) + "\n")
    special = {"special_tokens": ["<|im_end|>"], "stops": ["<|im_end|>"]}
    template = {"user": "{{ content }}\n", "answer_end": "<|im_end|>", **special}
    with pytest.raises(BadData, match=r"rows\.jsonl, row 2: .* has no system message"):
        train(small_run(template=template))


def test_a_row_with_half_a_character_is_bad_and_the_others_are_not(tokenizer):
    good = Text("Whole: \U0001f600.")
    first, fault, last = Encoder(None, tokenizer).texts([good, Text("Hello, \ud83d!"), good])
    assert first == last
    assert isinstance(fault, BadValue)
    assert fault.problem == r"its text holds half a character, '\ud83d' after 'Hello, '"


@pytest.mark.parametrize(
    ("ids", "labels", "said"),
    [
        ([1, 999999999999], None, "number 2 of its ids is 999999999999, and the model's go from 0"),
        ([1, -1], None, "number 2 of its ids is -1"),
        ([1, 2], [2, -100], "number 1 of its labels is 2, and the id there is 1"),
        ([1, 2], [-100, 0], "number 2 of its labels is 0, and the id there is 2"),
    ],
)
def test_ids_that_the_model_has_not_and_labels_that_are_others_are_bad(
    tokenizer, ids, labels, said
):
    good, fault = Encoder(None, tokenizer).texts(
        [Tokens([0, len(tokenizer) - 1]), Tokens(ids, labels)]
    )
    assert good[""].mask == [True, True]
    assert isinstance(fault, BadValue)
    assert said in fault.problem


def test_what_looks_like_a_special_token_is_one_in_plain_text_too_where_told(tokenizer):
    row, end = Text("a<|im_end|>b"), tokenizer.convert_tokens_to_ids("<|im_end|>")
    (plain,) = Encoder(None, tokenizer).texts([row])
    assert end not in plain[""].ids[:-1]
    (told,) = Encoder(None, tokenizer, EncodingSection(special_text="tokens")).texts([row])
    a, b = (tokenizer(one, add_special_tokens=False)["input_ids"] for one in "ab")
    assert told[""].ids == [*a, end, *b, tokenizer.eos_token_id]
    assert all(told[""].mask)
