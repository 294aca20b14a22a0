"""Standardized rows as ids: calls, tools and thoughts reach the template; a bad row is named."""

import json

import pytest
from datasets import Dataset
from transformers import AutoTokenizer

from luthier.core import TemplateError, train
from luthier.core.data.dataset import Conversation, aligned
from luthier.core.data.encoding import encode_conversations
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


@pytest.fixture
def rows_of(spec_of):
    """Standardized rows of conversations, as a format makes them."""

    def make(*conversations):
        places = Dataset.from_dict({"n": list(range(len(conversations)))})
        return aligned(places, spec_of([{}]), lambda row: conversations[row["n"]])

    return make


def test_calls_tools_and_thoughts_of_a_row_are_told_to_the_template(rows_of, tokenizer):
    row = Conversation([QUESTION, CALLING, RESULT], [ANSWER], tools=json.dumps([TOOL]))
    plain = Conversation([QUESTION], [{"role": "assistant", "content": "Three."}])
    qwen = load_template("qwen3")
    found = encode_conversations(rows_of(row, plain), qwen, tokenizer)
    chat = [QUESTION, {**CALLING, "tool_calls": [CALL]}, RESULT, ANSWER]
    expected = qwen.encode(chat, tokenizer, [TOOL])
    assert found[0] == {"input_ids": expected.ids, "labels": expected.labels}
    text = tokenizer.decode(expected.ids)
    assert all(said in text for said in ('{"a": 1, "b": [2, null]}', "A sum.", "<tools>"))
    expected = qwen.encode([*plain.prompt, *plain.response], tokenizer)
    assert found[1] == {"input_ids": expected.ids, "labels": expected.labels}


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
def test_a_row_that_cannot_be_rendered_is_named(rows_of, tokenizer, row, said):
    good = Conversation([QUESTION], [ANSWER])
    with pytest.raises(TemplateError, match="row 2: ") as fault:
        encode_conversations(rows_of(good, row), load_template("qwen3"), tokenizer)
    assert said in str(fault.value)


def test_a_run_names_the_file_of_a_row_that_cannot_be_rendered(small_run, data_file):
    row = {"instruction": "a", "output": "b", "system": "c"}
    data_file.write_text(json.dumps({**row, "system": ""}) + "\n" + json.dumps(row) + "\n")
    special = {"special_tokens": ["<|im_end|>"], "stops": ["<|im_end|>"]}
    template = {"user": "{{ content }}\n", "answer_end": "<|im_end|>", **special}
    with pytest.raises(TemplateError, match=r"rows\.jsonl: row 2: .* has no system message"):
        train(small_run(template=template))
