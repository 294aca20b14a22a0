"""Turns of ShareGPT's rows become the same conversations as messages of OpenAI's form."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luthier.core.data.dataset import standardized
from luthier.plugins.formats.openai import OpenAI
from luthier.plugins.formats.sharegpt import ShareGpt

ADD = {"name": "add", "arguments": {"a": 1, "b": 2}}
TOOL = {"name": "add", "parameters": {"type": "object"}}


def turn(who, value):
    return {"from": who, "value": value}


def test_calls_and_their_results_are_told_in_the_form_of_openai(spec_of):
    row = {
        "conversations": [
            turn("system", "Count."),
            turn("human", "Both?"),
            turn("function_call", json.dumps([ADD, ADD])),
            turn("observation", "3"),
            turn("observation", "3"),
            turn("gpt", "Three, twice."),
        ],
        "system": "Overridden.",
        "tools": json.dumps([TOOL]),
    }
    found = next(iter(standardized(spec_of([row], format="sharegpt"))))
    assert found.system == "Count."
    assert found.tools == [{"type": "function", "function": TOOL}]
    assert [one["role"] for one in found.prompt] == ["user", "assistant", "tool", "tool"]
    assert found.prompt[1]["tool_calls"] == [{"type": "function", "function": ADD}] * 2
    assert found.response == [{"role": "assistant", "content": "Three, twice."}]


def test_tags_and_columns_may_have_other_names(spec_of):
    declared = {
        "name": "sharegpt", "messages": "chat", "role_tag": "role", "content_tag": "text",
        "user_tag": "guest", "assistant_tag": "host", "system": "setting",
    }  # fmt: skip
    rows = [
        {"chat": [{"role": "guest", "text": "A table?"}, {"role": "host", "text": "Here."}]},
        {"chat": [{"role": "user", "text": "A bed?"}, {"role": "assistant", "text": "Upstairs."}]},
    ]
    found = list(
        standardized(spec_of([{**r, "setting": "An inn."} for r in rows], format=declared))
    )
    assert [one.prompt[0]["content"] for one in found] == ["A table?", "A bed?"]
    assert [one.response[0]["content"] for one in found] == ["Here.", "Upstairs."]
    assert {one.system for one in found} == {"An inn."}


def test_the_last_turn_may_be_a_call(spec_of):
    row = {"conversations": [turn("human", "Sum?"), turn("function_call", json.dumps(ADD))]}
    found = next(iter(standardized(spec_of([row], format="sharegpt"))))
    assert found.response[0]["tool_calls"] == [{"type": "function", "function": ADD}]


TEXTS = st.text(min_size=1).filter(str.strip)
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "name": TEXTS,
            "arguments": st.dictionaries(TEXTS, st.integers() | st.text() | st.none(), max_size=3),
        }
    ),
    min_size=1,
    max_size=3,
)
EXCHANGES = st.tuples(TEXTS, st.lists(st.tuples(CALLS, TEXTS), max_size=2), TEXTS)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(), st.lists(EXCHANGES, min_size=1, max_size=4))
def test_a_conversation_is_the_same_in_both_forms(system, exchanges):
    turns, messages = [], []
    for question, rounds, answer in exchanges:
        turns.append(turn("human", question))
        messages.append({"role": "user", "content": [{"type": "text", "text": question}]})
        for calls, result in rounds:
            turns.append(turn("function_call", json.dumps(calls)))
            called = [
                {"function": {**call, "arguments": json.dumps(call["arguments"])}} for call in calls
            ]
            messages.append({"role": "assistant", "content": None, "tool_calls": called})
            turns += [turn("observation", result)] * len(calls)
            messages += [{"role": "tool", "content": result}] * len(calls)
        turns.append(turn("gpt", answer))
        messages.append({"role": "assistant", "content": answer, "weight": 1})
    first = [{"role": "developer", "content": system}] if system else []
    written = OpenAI().standard({"messages": first + messages})
    assert ShareGpt().standard({"conversations": turns, "system": system}) == written
    assert [*written.prompt, *written.response][-1]["content"] == exchanges[-1][-1]


def test_turns_that_are_not_to_be_counted_are_told(spec_of):
    row = {
        "conversations": [
            {**turn("human", "A?"), "weight": 0},
            {**turn("gpt", "B."), "weight": 0},
            turn("human", "C?"),
            {**turn("function_call", json.dumps(ADD)), "train": False},
            turn("observation", "3"),
            {**turn("gpt", "D."), "weight": 1.0},
        ]
    }
    found = next(iter(standardized(spec_of([row], format="sharegpt"))))
    assert [one.get("train", True) for one in found.prompt] == [True, False, True, False, True]
    assert "train" not in found.response[0]
