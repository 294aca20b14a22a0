"""Rows with thoughts and without: they are counted, and the run tells of those that are lost."""

import pytest

from luthier.core import train
from luthier.core.data import Conversation
from luthier.core.data.thoughts import Thoughts
from luthier.core.templates import load_template

WITHOUT = {"content": "Yes.", "reasoning_content": None}
APART = {"content": "Yes.", "reasoning_content": "It is."}
WITHIN = {"content": "<think>It is.</think>Yes.", "reasoning_content": None}
TAKEN_OUT = {**APART, "written": WITHIN["content"]}


def missing(name, *answers):
    thoughts = Thoughts(load_template(name))
    return sum(thoughts.are_missing(Conversation([], [answer])) for answer in answers)


def left_out(name, *answers):
    thoughts = Thoughts(load_template(name))
    return sum(thoughts.are_left_out(Conversation([], [answer])) for answer in answers)


def test_thoughts_are_seen_wherever_they_stand():
    assert missing("qwen3", WITHOUT, APART, WITHIN, WITHOUT) == 2
    assert missing("chatml", WITHOUT) == 0


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("qwen3", 0),  # prints thoughts of either form
        ("deepseek-r1", 2),  # none of either
        ("granite-3.3", 1),  # those in the content alone
        ("chatml", 1),  # a content as it is
    ],
)
def test_thoughts_that_a_template_does_not_print_are_counted(name, count):
    assert left_out(name, WITHOUT, APART, WITHIN) == count


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("chatml", {"content": WITHIN["content"]}),
        ("qwen3", {"content": WITHIN["content"]}),
        ("granite-3.3", {"content": WITHIN["content"]}),
        ("magistral", APART),
    ],
)
def test_those_of_a_content_are_told_as_the_template_prints_them(name, told):
    assert Thoughts(load_template(name)).told(TAKEN_OUT) == told
    assert left_out(name, TAKEN_OUT) == 0


def test_those_of_a_content_are_counted_where_no_form_of_them_is_printed():
    assert left_out("deepseek-r1", TAKEN_OUT) == 1
    assert missing("qwen3", TAKEN_OUT) == 0


def test_a_run_warns_of_thoughts_that_are_not_trained(small_run, data_file, caplog):
    row = '{"instruction": "a", "output": "<think>b</think>c"}\n'
    data_file.write_text(row * 3 + '{"instruction": "a", "output": "c"}\n')
    answer = "{{ content }}"  # with `thinking`, the content without what was thought
    thinking = {"kept": "none"}
    special = {"special_tokens": ["<|im_end|>"], "stops": ["<|im_end|>"]}
    train(
        small_run(
            template={"answer": answer, "thinking": thinking, "answer_end": "<|im_end|>", **special}
        )
    )
    said = "3 of 4 rows hold thoughts, which the chat template"
    assert caplog.text.count(said) == 1
