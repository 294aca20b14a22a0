"""Messages in all of OpenAI's forms, and what is no message."""

import json

import pytest

from luthier.core import TemplateError
from luthier.core.templates.messages import plain, plain_all, tools_of
from luthier.templates.chatml import TEMPLATE as CHATML

CALL = {"id": "1", "type": "function", "function": {"name": "add", "arguments": {"a": [1]}}}
BARE = {"name": "add", "arguments": '{"a": [1]}'}


@pytest.mark.parametrize("calls", [[CALL], json.dumps([CALL]), [BARE], json.dumps([BARE])])
def test_calls_are_a_list_or_its_json_text_and_their_arguments_objects(calls):
    told = plain({"role": "assistant", "tool_calls": calls})
    assert [call["function"] for call in told["tool_calls"]] == [CALL["function"]]


def test_what_a_row_has_no_value_for_is_no_key_of_the_message():
    row = {
        "role": "assistant", "content": None, "reasoning_content": None, "tool_calls": None,
        "name": None, "tool_call_id": None,
    }  # fmt: skip
    assert plain(row) == {"role": "assistant", "content": None}
    for empty in ("", "[]"):
        assert "tool_calls" not in plain({**row, "tool_calls": empty})


def test_tools_are_a_list_or_its_json_text():
    tool = {"type": "function", "function": {"name": "add"}}
    assert tools_of([tool]) == tools_of(json.dumps([tool])) == [tool]
    assert tools_of("") is tools_of("[]") is tools_of([]) is tools_of(None) is None


ASKED = {"role": "user", "content": "a"}
CALLING = {"role": "assistant", "content": ""}


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (5, "5 is no message with a role"),
        ("x", "'x' is no message with a role"),
        ({"content": "a"}, "is no message with a role"),
        ({"role": 5, "content": "a"}, "is no message with a role"),
        ({**ASKED, "content": [5]}, "a part that is not text"),
        ({**CALLING, "reasoning_content": 5}, "its thoughts are 5"),
        ({**CALLING, "tool_calls": 5}, "`tool_calls` is 5, no list of calls"),
        ({**CALLING, "tool_calls": "x"}, "`tool_calls` is 'x', no JSON"),
        ({**CALLING, "tool_calls": "[" * 100_000}, "no JSON"),
        ({**CALLING, "tool_calls": "{}x"}, "no JSON"),
        ({**CALLING, "tool_calls": '{"name": "add"}'}, "no list of calls"),
        ({**CALLING, "tool_calls": [5]}, "5 is no call of a function with a name"),
        ({**CALLING, "tool_calls": [{"function": None}]}, "is no call of a function"),
        ({**CALLING, "tool_calls": [{"function": {"name": 5}}]}, "is no call of a function"),
        ({**CALLING, "tool_calls": [{**BARE, "arguments": "x"}]}, "of the call of 'add' are no"),
    ],
)
def test_what_is_no_message_is_told_with_its_number(message, said):
    with pytest.raises(TemplateError, match="message 2: ") as fault:
        plain_all([ASKED, message])
    assert said in str(fault.value)


@pytest.mark.parametrize("tools", [5, "x", "5", [5], '["x"]', {"a": 1}])
def test_what_is_no_list_of_tools_is_told(tools):
    with pytest.raises(TemplateError, match="Write "):
        tools_of(tools)


def test_a_system_message_in_parts_is_folded_as_its_text():
    system = {"role": "system", "content": [{"type": "text", "text": "Be "}, "brief."]}
    folded = CHATML.render([system, ASKED], system="prepend").text
    assert folded == "<|im_start|>user\nBe brief.\n\na<|im_end|>\n"
    for other in ("append", ["prepend"], True):
        with pytest.raises(TemplateError, match=r"`system` is .*; it can be 'prepend'"):
            CHATML.render([system, ASKED], system=other)
