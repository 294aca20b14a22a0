"""The formats of ChatGLM3 and GLM-4: the line of a role token holds the name of the tool called.

Source: the prompt code of THUDM/chatglm3-6b (https://huggingface.co/THUDM/chatglm3-6b) and the chat
template of THUDM/glm-4-9b-chat (https://huggingface.co/THUDM/glm-4-9b-chat). There the tools are
the key `tools` of a system message, the name of a tool is the key `metadata` of an answer, and
results have the role `observation`. Calls and results in OpenAI's form are written in the same
places.
"""

from collections.abc import Iterator

from luthier.core.templates import ChatTemplate, Event, Reader, ToolStyle

_NEXT = "<|assistant|>"

# `chat`, `line` and `called` are set before it; `{own}` is what is made of a message's own tools,
# `{kept}` a test of the contents that have a turn
_SOURCE = r"""
{%- for message in chat -%}
    {%- set role = message['role'] -%}
    {%- set content = message['content'] or '' -%}
    {own}
    {%- if role == 'assistant' -%}
        {%- set calls = message['tool_calls'] or [] -%}
        {%- if calls -%}{%- set content = content.strip() -%}{%- endif -%}
        {%- if calls or {kept} -%}
            {{- '<|assistant|>' -}}
            {%- generation -%}
            {%- if content or not calls -%}
                {{- message['metadata'] or '' -}}{{- line -}}{{- content -}}
            {%- endif -%}
            {%- for call in calls -%}
                {%- if content or not loop.first -%}{{- '<|assistant|>' -}}{%- endif -%}
                {{- call.function.name -}}{{- line -}}{{- called(call.function.arguments or {}) -}}
            {%- endfor -%}
            {%- endgeneration -%}
        {%- endif -%}
    {%- elif role not in ['system', 'user', 'tool', 'observation'] -%}
        {{- raise_exception("'" ~ role ~ "' is no role that this chat template has; "
            'it has: system, user, assistant, tool, observation') -}}
    {%- elif {kept} -%}
        {%- if role == 'system' -%}
            {{- '<|system|>' -}}
        {%- elif role == 'user' -%}
            {{- '<|user|>' -}}
        {%- else -%}
            {{- '<|observation|>' -}}
        {%- endif -%}
        {{- message['metadata'] or '' -}}{{- line -}}{{- content -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}
"""


def source(head: str, *, own: str, kept: str) -> str:
    """Return a Jinja source.

    Args:
        head: what the text begins with; it sets `chat`, `line` and the macro `called`.
        own: what is made of a message's own tools.
        kept: a test of the contents that have a turn.
    """
    return head + _SOURCE.replace("{own}", own).replace("{kept}", kept)


class ChatGLMTemplate(ChatTemplate):
    """A template whose answers have the name of a tool on their first line, or an empty one."""

    indent: str = ""
    """What stands before a content on its line."""

    def reader(self, *, prompt: str | None = None) -> Reader:  # noqa: ARG002 - no thoughts
        """Return what reads an answer piece by piece."""
        return _NameReader(self.tools, indent=self.indent)


class _NameReader(Reader):
    """Reads the parts of an answer: what follows a name is a call, the rest is content."""

    def __init__(self, tools: ToolStyle | None, *, indent: str) -> None:
        super().__init__(tools, None, prompted=False)
        self._indent = indent
        self._in_content = False

    def _read(self, *, final: bool) -> Iterator[Event | None]:
        while self._buffer:
            if self._in_content:
                part, found, rest = self._buffer.partition(_NEXT)
                held = 0 if found or final else _begun(part)
                yield Event("content", part[: len(part) - held])
                self._buffer = rest if found else part[len(part) - held :]
                self._in_content = not found
                if not found:
                    return
                continue
            name, ended, content = self._buffer.partition("\n")
            if ended and not name.strip():
                if not content and not final:
                    return  # the indent is yet to come
                self._buffer, self._in_content = content.removeprefix(self._indent), True
                continue
            # what begins with a name is a call only when it is whole
            part, found, rest = self._buffer.partition(_NEXT)
            if not found and not final:
                return
            calls = self._tools.read(part) if self._tools else None
            yield from (Event("call", call=call) for call in calls or ())
            if not calls:
                yield Event("content", part)
            self._buffer = rest


def _begun(text: str) -> int:
    """Return how much of the end of a text may be the beginning of the next part."""
    return max((n for n in range(1, len(_NEXT)) if text.endswith(_NEXT[:n])), default=0)
