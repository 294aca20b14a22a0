"""Apertus: a developer turn tells of thinking and tools, whose results stand within an answer.

Source: the chat template of swiss-ai/Apertus-8B-Instruct-2509
(https://huggingface.co/swiss-ai/Apertus-8B-Instruct-2509).
"""

from typing import Any

from luthier.core.templates import ChatTemplate, Thinking, ToolCall, ToolStyle
from luthier.templates.shared.typescript import DECLARED


class _Calls(ToolStyle):
    """A list of objects that map a name to its arguments."""

    def of_object(self, value: Any) -> ToolCall | None:
        """Return the call that an object of one key tells of, or None."""
        if not isinstance(value, dict) or len(value) != 1:
            return None
        [(name, arguments)] = value.items()
        return super().of_object({"name": name, "arguments": arguments})


_CALLS = _Calls(
    definitions="{{ content }}",
    calls=(
        "<|tools_prefix|>[{% for call in calls %}{% if not loop.first %}, {% endif %}"
        '{"{{ call.function.name }}": {{ call.function.arguments | tojson }}}'
        "{% endfor %}]<|tools_suffix|>"
    ),
    result=(
        "{% if not turn.answering %}"
        "{{ raise_exception('a tool message follows an answer that calls tools') }}{% endif %}"
        "{% if turn.results %}, {% else %}[{% set turn.results = true %}{% endif %}{{ content }}"
    ),
    open="<|tools_prefix|>",
    close="<|tools_suffix|>",
)

TEMPLATE = ChatTemplate(
    special_tokens=(
        "<|system_start|>",
        "<|system_end|>",
        "<|developer_start|>",
        "<|developer_end|>",
        "<|user_start|>",
        "<|user_end|>",
        "<|assistant_start|>",
        "<|assistant_end|>",
        "<|tools_prefix|>",
        "<|tools_suffix|>",
    ),
    bos_token="<s>",
    stops=("<|assistant_end|>", "<|tools_suffix|>"),
    begin=DECLARED + "{{ bos_token }}{% set turn = namespace(answering=false, results=false) %}",
    default_system="",
    system=(
        "{% if loop is defined %}"
        "{{ raise_exception('a system message is the first message here') }}{% endif %}"
        "<|system_start|>{% if messages[0]['role'] == 'system' %}{{ content }}{% else %}"
        "You are Apertus, a helpful assistant created by the SwissAI initiative.\n"
        "Knowledge cutoff: 2024-04\nCurrent date: {{ strftime_now('%Y-%m-%d') }}{% endif %}"
        "<|system_end|><|developer_start|>"
        "Deliberation: {% if enable_thinking %}enabled{% else %}disabled{% endif %}\n"
        "Tool Capabilities:{% if tools %}\n{{ declared(tools, '\n', '\n') }}{% else %} disabled"
        "{% endif %}<|developer_end|>"
    ),
    user=(
        "{% if turn.results %}]{% endif %}{% if turn.answering %}<|assistant_end|>{% endif %}"
        "{% set turn.results = false %}{% set turn.answering = false %}"
        "<|user_start|>{{ content }}<|user_end|>"
    ),
    # an answer goes on after results; the authors close these only before an answer with a text
    answer_prefix=(
        "{% if not turn.answering %}<|assistant_start|>{% set turn.answering = true %}{% endif %}"
        "{% if turn.results and message['content'] is not none %}]"
        "{% set turn.results = false %}{% endif %}"
    ),
    # the authors' text leaves out thoughts, but not those in a content
    answer="{{ message['content'] or '' }}",
    prompt="{% if turn.results %}]{% endif %}<|assistant_start|>",
    finish="{% if turn.results %}]{% endif %}",
    tools=_CALLS,
    thinking=Thinking(open="<|inner_prefix|>", close="<|inner_suffix|>", kept="none"),
    options={"enable_thinking": None},
)
