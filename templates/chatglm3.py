"""ChatGLM3: role tokens, each content on a line of its own behind a space, calls in Python.

Source: the prompt code of THUDM/chatglm3-6b (https://huggingface.co/THUDM/chatglm3-6b), and for
calls the API and the fine-tuning code of THUDM/ChatGLM3 (https://github.com/THUDM/ChatGLM3).
"""

import re

from luthier.core.templates import ToolCall
from luthier.templates.shared.chatglm import ChatGLMTemplate, source
from luthier.templates.shared.pythonic import Pythonic


class _Calls(Pythonic):
    """The name of a tool, and a call by it of the function `tool_call` in a block of code."""

    open: str = ""
    stop: str = "<|observation|>"
    at_start: bool = True

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the call that a name and a block of code make."""
        name = re.match(r"\s*([^\s`(]+)", body)
        if name is None or "``" not in body:
            return None
        rest = body[name.end() :]
        called = re.search(r"[(=]", rest)
        if called is None:
            return None
        begun = max(rest.rfind(mark, 0, called.start()) for mark in "\n`") + 1
        calls = super().read(rest[begun:].partition("`")[0])
        return [ToolCall(name[1], calls[0].arguments)] if calls else None


# tools take the place of the system message
_HEAD = r"""
{{- '[gMASK]sop' -}}
{%- set line = '\n ' -%}
{%- macro called(arguments) -%}
    {{- '```python\ntool_call(' -}}
    {%- for name, value in arguments.items() -%}
        {%- if not loop.first -%}{{- ', ' -}}{%- endif -%}
        {{- name -}}{{- '=' -}}{{- '%r' | format(value) -}}
    {%- endfor -%}
    {{- ')\n```' -}}
{%- endmacro -%}
{%- set chat = messages -%}
{%- if tools -%}
    {{- '<|system|>\n Answer the following questions as best as you can. ' -}}
    {{- 'You have access to the following tools:\n' -}}
    {%- set known = namespace(tools=[]) -%}
    {%- for tool in tools -%}
        {%- set known.tools = known.tools + [tool.function or tool] -%}
    {%- endfor -%}
    {{- known.tools | tojson(indent=4) -}}
    {%- if messages and messages[0]['role'] == 'system' -%}
        {%- set chat = messages[1:] -%}
    {%- endif -%}
{%- endif -%}
"""

_OWN = r"""
{%- if message['tools'] -%}
    {%- set content = content ~ '\n' ~ message['tools'] | tojson(indent=4) -%}
{%- endif -%}
"""

TEMPLATE = ChatGLMTemplate(
    special_tokens=(
        "[gMASK]", "sop", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>",
    ),
    stops=("<|user|>", "</s>", "<|observation|>"),
    indent=" ",
    source=source(_HEAD, own=_OWN, kept="true"),
    tools=_Calls(),
)  # fmt: skip
