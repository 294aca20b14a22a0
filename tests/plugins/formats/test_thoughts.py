"""Thoughts that an answer begins with stand apart from it in the row, whatever the format."""

import pytest
from transformers import AutoTokenizer

from luthier.core.data.dataset import standardized
from luthier.core.data.encoding import Encoder
from luthier.core.data.standard import as_written
from luthier.core.templates import load_template
from luthier.plugins.families.tiny.making import tiny_model
from luthier.plugins.formats.thoughts import answer

WRITTEN = "<think>\nOne and two.\n</think>\n\nThree."
ASKED, SAID = {"role": "user", "content": "Sum?"}, {"role": "assistant", "content": WRITTEN}
APART = {
    "role": "assistant",
    "content": "Three.",
    "reasoning_content": "One and two.",
    "written": WRITTEN,
}
ROWS = {
    "alpaca": {"instruction": "Sum?", "output": WRITTEN, "history": [["Sum?", WRITTEN]]},
    "sharegpt": {
        "conversations": [{"from": "human", "value": "Sum?"}, {"from": "gpt", "value": WRITTEN}] * 2
    },
    "openai": {"messages": [ASKED, SAID, ASKED, SAID]},
    "kto": {"prompt": [ASKED, SAID, ASKED], "completion": WRITTEN, "label": True},
    "preference": {"prompt": [ASKED, SAID, ASKED], "chosen": WRITTEN, "rejected": "Four."},
}


@pytest.mark.parametrize("name", ROWS)
def test_they_stand_apart_in_each_answer(spec_of, name):
    (found,) = standardized(spec_of([ROWS[name]], format=name))
    assert found.prompt == [ASKED, APART, ASKED]
    assert found.response[0] == APART


@pytest.mark.parametrize(
    "content",
    [
        "Three.",
        "Three. <think>Or four?</think>",
        "<think>Cut off",
        "<think>\n\n</think>\n\nThree.",
        "<think>One.</think>Three.<think>Two.</think>",
        "One and two.</think>Three.",
    ],
)
def test_what_does_not_begin_with_thoughts_stays_as_it_is(content):
    assert answer(content) == {"role": "assistant", "content": content}


def test_those_that_are_given_apart_come_first(spec_of):
    own = {**SAID, "reasoning_content": "A sum."}
    (found,) = standardized(spec_of([{"messages": [ASKED, own]}], format="openai"))
    assert found.response == [own]


def test_a_message_is_written_as_it_was(spec_of):
    assert as_written(answer(WRITTEN)) == SAID
    assert as_written(ASKED) is ASKED


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("chatml", f"{WRITTEN}<|im_end|>"),  # a content as it is
        ("smollm3", f"{WRITTEN}<|im_end|>"),  # none that are apart
        ("qwen3", f"{WRITTEN}<|im_end|>"),
        ("qwen3-thinking", "One and two.\n</think>\n\nThree.<|im_end|>"),
        ("seed-oss", "<seed:think>One and two.</seed:think>\nThree.<seed:eos>"),
    ],
)
def test_a_model_is_trained_on_what_its_format_prints_of_them(spec_of, name, text):
    tokenizer, template = AutoTokenizer.from_pretrained(tiny_model()), load_template(name)
    tokenizer.add_tokens([*template.all_special_tokens()], special_tokens=True)
    rows = list(standardized(spec_of([{"messages": [ASKED, SAID]}], format="openai")))
    (found,) = Encoder(template, tokenizer).conversations(rows)
    assert tokenizer.decode([i for i in found[""].labels if i >= 0]) == text
