"""Hunyuan 3 (Hy3): tokens for User and Assistant, an effort, and calls in pairs of tags.

Source: the chat template of tencent/Hy3 (https://huggingface.co/tencent/Hy3). Without a
`reasoning_effort` (`low` or `high`), the prompt closes empty thoughts.
"""

from luthier.core.templates import ChatTemplate, Thinking, ToolCall, ToolStyle
from luthier.templates.shared.xml_tools import value_of

_VALUE = "<arg_value:opensource>"


class _Pairs(ToolStyle):
    """Calls that are a name, and a key and a value for each argument."""

    open: str = "<tool_call:opensource>"
    close: str = "</tool_call:opensource>"
    section: tuple[str, str] = ("<tool_calls:opensource>", "</tool_calls:opensource>")

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the call in what stands between `open` and `close`."""
        name, parted, rest = body.partition("<tool_sep:opensource>")
        if not name.strip() or not parted:
            return None
        arguments = {}
        for part in rest.split("<arg_key:opensource>")[1:]:
            key, _, value = part.partition("</arg_key:opensource>")
            value = value.strip()
            if value.startswith(_VALUE):
                inner = value.removeprefix(_VALUE).removesuffix("</arg_value:opensource>")
                arguments[key] = value_of(inner)
        return [ToolCall(name.strip(), arguments)]


_TOOLS = _Pairs(
    definitions=(
        "{{ content }}{% if content %}\n\n{% endif %}"
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
        "{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}</tools>\n\n"
        "For function call returns, you should first print <tool_calls:opensource>\n"
        "For each function call, you should return object like:\n"
        "<tool_call:opensource>{function-name}<tool_sep:opensource>\n"
        "<arg_key:opensource>{arg-key-1}</arg_key:opensource>\n"
        "<arg_value:opensource>{arg-value-1}</arg_value:opensource>\n"
        "<arg_key:opensource>{arg-key-2}</arg_key:opensource>\n"
        "<arg_value:opensource>{arg-value-2}</arg_value:opensource>\n...\n"
        "</tool_call:opensource>\n"
        "At the end of function call returns, you should print </tool_calls:opensource>"
    ),
    calls=(
        "<tool_calls:opensource>\n{% for call in calls %}"
        "<tool_call:opensource>{{ call.function.name }}<tool_sep:opensource>\n"
        "{% for name, value in (call.function.arguments or {}).items() %}"
        "<arg_key:opensource>{{ name }}</arg_key:opensource>\n<arg_value:opensource>"
        "{{ value if value is string else value | tojson }}</arg_value:opensource>\n{% endfor %}"
        "</tool_call:opensource>\n{% endfor %}</tool_calls:opensource>"
    ),
    result=(
        "{% if first %}<tool_responses:opensource>\n{% endif %}"
        "<tool_response:opensource>\n{{ content }}\n</tool_response:opensource>\n"
        "{% if last %}</tool_responses:opensource>{% endif %}"
    ),
)

TEMPLATE = ChatTemplate(
    special_tokens=(
        "<｜hy_begin_of_sentence:opensource｜>",
        "<｜reasoning_mode:opensource｜>",
        "<｜hy_User:opensource｜>",
        "<｜hy_Assistant:opensource｜>",
        "<｜hy_eos:opensource｜>",
        *(
            f"<{close}{name}:opensource>"
            for name in (
                *("think", "tool_calls", "tool_call", "arg_key", "arg_value"),
                *("tool_responses", "tool_response"),
            )
            for close in ("", "/")
        ),
        "<tool_sep:opensource>",
    ),
    stops=("<｜hy_eos:opensource｜>",),
    begin=(
        "<｜hy_begin_of_sentence:opensource｜>{% set effort = reasoning_effort or 'no_think' %}"
        "{% if effort not in ['no_think', 'low', 'high'] %}"
        "{{ raise_exception('`reasoning_effort` is one of no_think, low, high') }}{% endif %}"
        # thoughts of earlier turns are kept beside tools
        "{% set keeps = preserved_thinking is true"
        " or preserved_thinking is not defined and tools %}"
    ),
    default_system="",
    system=(
        "{{ content }}{% if loop is not defined %}"
        "<｜reasoning_mode:opensource｜>reasoning_effort:{{ effort }}{% endif %}"
    ),
    user="<｜hy_User:opensource｜>{{ content }}",
    thinking=Thinking(
        open="<think:opensource>", close="</think:opensource>", kept="after-question"
    ),
    # thoughts that are written in a content stay there
    answer_prefix=(
        "<｜hy_Assistant:opensource｜><think:opensource>"
        "{% set thought = message['reasoning_content'] or '' %}"
        "{% if loop.index0 < last_question and not keeps %}{% set thought = '' %}{% endif %}"
        "{% set thinks = thought or effort != 'no_think' %}"
        "{% if not thinks %}</think:opensource>{% endif %}"
    ),
    answer=(
        "{% if thinks %}{{ thought }}</think:opensource>{% endif %}{{ message['content'] or '' }}"
    ),
    # the authors leave the last answer open
    answer_end=(
        "{% if not loop.last or message['tool_calls'] %}<｜hy_eos:opensource｜>{% endif %}"
    ),
    prompt=(
        "{% if not messages or messages[-1]['role'] != 'assistant' %}"
        "<｜hy_Assistant:opensource｜><think:opensource>"
        "{% if effort == 'no_think' %}</think:opensource>{% endif %}{% endif %}"
    ),
    options={"reasoning_effort": None, "preserved_thinking": None},
    tools=_TOOLS,
)
