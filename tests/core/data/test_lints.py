"""Faults of single rows: each has a row that has it, and one that does not."""

import json
import re

import pytest

from luthier.core.data import Conversation, Judged, Preference, Text, Tokens
from luthier.core.data.lints import LINTS, faults_of
from luthier.core.data.misfits import misfits

LIKE = re.compile(re.escape("<|im_end|>"))
ASK = {"role": "user", "content": "What is it?"}
ANSWER = {"role": "assistant", "content": "It is."}
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {
            "properties": {"a": {"type": "integer"}, "how": {"enum": ["fast", "slow"]}},
            "required": ["a"],
        },
    },
}


def call(name="add", arguments=None, **more):
    function = {"name": name, "arguments": {"a": 1} if arguments is None else arguments}
    return {"role": "assistant", "content": "", "tool_calls": [{"function": function, **more}]}


def result(**more):
    return {"role": "tool", "content": "2", **more}


def lints_of(row):
    return {fault.lint for fault in faults_of(row, LIKE)}


def said_of(row):
    return " ".join(fault.said for fault in faults_of(row, LIKE))


def of_tools(*messages, tools=(TOOL,)):
    return Conversation([ASK, *messages], [ANSWER], tools=list(tools))


@pytest.mark.parametrize(
    "row",
    [
        Conversation([ASK], [ANSWER]),
        Conversation([ASK], [ANSWER], "You are kind."),
        Conversation([ASK, ANSWER, ASK], [ANSWER]),
        Preference([ASK], [ANSWER, {**ANSWER, "content": "No."}]),
        Judged([ASK], [ANSWER], desirable=False),
        Text("A text."),
        Tokens([1, 2]),
        of_tools(call(), result()),
        of_tools(call(arguments='{"a": 1}'), result()),
        of_tools(call(id="x"), result(tool_call_id="x")),
        of_tools(call(arguments={"a": 1, "how": None}), result()),
        Conversation([ASK], [call()], tools=json.dumps([TOOL])),
        Conversation([ASK], [{"role": "assistant", "content": "", "reasoning_content": "Hm."}]),
    ],
    ids=str,
)
def test_a_row_of_which_nothing_is_odd_has_no_fault(row):
    assert lints_of(row) == set()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Conversation([ASK, ASK], [ANSWER]), "message 2, 'user', comes after 'user'"),
        (Conversation([ANSWER, ASK], [ANSWER]), "message 1, 'assistant', comes first"),
        (
            Conversation([ASK, {"role": "system", "content": "x"}], [ANSWER]),
            "'system', comes after",
        ),
        (Conversation([ASK], [{"role": "bot", "content": "x"}]), "the role 'bot'"),
        (Conversation([ASK, ANSWER], [ASK]), "the last message is of 'user'"),
    ],
)
def test_roles_out_of_order_are_told(row, said):
    assert lints_of(row) == {"role-order"}
    assert said in said_of(row)


def test_a_turn_of_no_text_is_told():
    assert lints_of(Conversation([{"role": "user", "content": " \n"}], [ANSWER])) == {"empty-turn"}
    assert lints_of(Conversation([ASK], [{"role": "assistant"}])) == {"empty-turn"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "the argument 'a' is missing"),
        ({"a": "one"}, "to be of type integer"),
        ({"a": True}, "to be of type integer"),
        ({"a": 1, "b": 2}, "there is no argument 'b'"),
        ({"a": 1, "how": "never"}, "none of ['fast', 'slow']"),
        ('{"a": ', "no JSON"),
        ("[1]", "no object"),
    ],
)
def test_arguments_that_do_not_fit_are_told(arguments, said):
    row = of_tools(call(arguments=arguments), result())
    assert lints_of(row) == {"call-arguments"}
    assert said in said_of(row)


def test_a_tool_that_may_take_more_may_be_given_more():
    closed = {"properties": {"a": {"type": ["number", "null"]}}}
    assert list(misfits({"a": 1.5, "b": 2}, {**closed, "additionalProperties": True})) == []
    assert list(misfits({"anything": 1}, {})) == []
    assert list(misfits({"a": 2.0}, {"properties": {"a": {"type": "integer"}}})) == []


def test_a_call_of_a_tool_that_is_not_offered_is_told():
    row = of_tools(call("sub"), result())
    assert lints_of(row) == {"call-not-offered"}
    assert "'sub' is called; there are: add" in said_of(row)
    assert lints_of(of_tools(call(), result(), tools=())) == {"call-not-offered"}


def test_tools_that_cannot_be_read_are_told():
    assert lints_of(Conversation([ASK], [ANSWER], tools="[{")) == {"bad-tools"}


def test_a_result_without_a_call_is_told():
    assert lints_of(of_tools(result())) == {"result-without-call"}
    assert lints_of(of_tools(call(), result(), result())) == {"result-without-call"}
    row = of_tools(call(id="x"), result(tool_call_id="y"))
    assert lints_of(row) == {"result-without-call"}


@pytest.mark.parametrize(
    "row",
    [
        Conversation([ASK], [{"role": "assistant", "content": "It is.<|im_end|>"}]),
        Text("a<|im_end|>b"),
        Conversation([ASK], [ANSWER], "<|im_end|>"),
        of_tools(call(arguments={"a": 1, "how": "<|im_end|>"}), result()),
    ],
)
def test_text_that_looks_like_a_special_token_is_told(row):
    assert "special-text" in lints_of(row)


def test_every_kind_of_fault_has_a_severity_and_a_remedy():
    for name, kind in LINTS.items():
        assert kind.severity in {"error", "warning", "info"}, name
        assert kind.remedy.endswith("."), name
