"""Versions 3 to 13 of Mistral's formats: one Jinja source, and how calls are read.

Source: mistral-common, Mistral's own code for its formats
(https://github.com/mistralai/mistral-common/tree/main/src/mistral_common/tokens/tokenizers), and
the chat template of mistralai/Mistral-7B-Instruct-v0.3
(https://huggingface.co/mistralai/Mistral-7B-Instruct-v0.3).
"""

import re
from typing import Literal

from luthier.core.templates import ChatTemplate, ToolCall, ToolStyle

# `version` and `space` are set before it; so may be
# - default_system: the system prompt where the conversation has none,
# - system_if_asked: write the system prompt only where the conversation ends with a question,
# - reasoning: whether thoughts are written; where it is not set, there are none.
_SOURCE = r"""
{{- bos_token -}}
{%- set chat = messages -%}
{%- if messages[0]['role'] != 'system' -%}
    {%- if default_system is defined -%}
        [SYSTEM_PROMPT]{{- default_system -}}[/SYSTEM_PROMPT]
    {%- endif -%}
{%- elif version == 3 -%}
    {%- set chat = messages[1:] -%}
    {%- set system = messages[0]['content'] or '' -%}
{%- endif -%}

{%- for message in chat
    if message['role'] in ['user', 'assistant'] and not message['tool_calls'] -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{- raise_exception('user and assistant have to alternate, the user first '
            '(tool calls and their results may stand between them)') -}}
    {%- endif -%}
{%- endfor -%}
{%- set questions = chat | selectattr('role', 'equalto', 'user') | list | length -%}
{%- set asked = namespace(count=0) -%}

{%- for message in chat -%}
    {%- set content = message['content'] or '' -%}
    {%- if message['role'] == 'user' -%}
        {%- set asked.count = asked.count + 1 -%}
        {%- if tools and asked.count == (1 if version == 13 else questions) -%}
            [AVAILABLE_TOOLS]{{- space -}}{{- tools | tojson -}}[/AVAILABLE_TOOLS]
        {%- endif -%}
        [INST]{{- space -}}
        {%- if system is defined and
            (loop.last if system_if_asked is defined else system and asked.count == questions) -%}
            {{- system -}}{{- '\n\n' -}}
        {%- endif -%}
        {{- content -}}[/INST]
    {%- elif message['role'] == 'assistant' -%}
        {%- generation -%}
            {%- if reasoning is defined -%}
                {%- set thoughts = reasoning and message['reasoning_content'] or none -%}
                {%- if not thoughts and content.startswith('[THINK]')
                    and '[/THINK]' in content -%}
                    {%- set thoughts = content.split('[/THINK]')[0][7:] -%}
                    {%- set content = content.split('[/THINK]', 1)[1] -%}
                {%- endif -%}
                {%- if thoughts is not none -%}
                    [THINK]{{- thoughts -}}[/THINK]
                {%- endif -%}
            {%- endif -%}
            {%- if version > 3 and not (content or thoughts or message['tool_calls']) -%}
                {{- raise_exception('an answer has to say something or call a tool here') -}}
            {%- endif -%}
            {#- version 3 has no text beside calls -#}
            {%- if not message['tool_calls'] or (content and version > 3) -%}
                {{- space -}}{{- content -}}
            {%- endif -%}
            {%- for call in message['tool_calls'] or [] -%}
                {%- set made = call['function'] -%}
                {%- if version < 13 and (call['id'] or '') | length != 9 -%}
                    {{- raise_exception('the id of a tool call has 9 characters here') -}}
                {%- endif -%}
                {%- if version < 11 -%}
                    {%- if loop.first -%}
                        [TOOL_CALLS]{{- space -}}{{- '[' -}}
                    {%- else -%}
                        {{- ', ' -}}
                    {%- endif -%}
                    {{- {'name': made['name'], 'arguments': made['arguments'], 'id': call['id']}
                        | tojson -}}
                    {%- if loop.last -%}{{- ']' -}}{%- endif -%}
                {%- else -%}
                    [TOOL_CALLS]{{- made['name'] -}}
                    {%- if version == 11 -%}[CALL_ID]{{- call['id'] -}}{%- endif -%}
                    [ARGS]{{- made['arguments'] | tojson -}}
                {%- endif -%}
            {%- endfor -%}
            {{- eos_token -}}
        {%- endgeneration -%}
    {%- elif message['role'] == 'tool' -%}
        {%- set call_id = message['tool_call_id'] or '' -%}
        {%- if version < 13 and call_id | length != 9 -%}
            {{- raise_exception('the id of a tool call has 9 characters here') -}}
        {%- endif -%}
        [TOOL_RESULTS]
        {%- if version == 3 -%}
            {#- JSON stands as it is, other text as a string -#}
            {%- set json = content.startswith(('{', '[')) or content in ['true', 'false', 'null']
                or content | int | string == content or content | float | string == content -%}
            {{- space -}}{{- '{"content": ' -}}{{- content if json else content | tojson -}}
            {{- ', "call_id": "' -}}{{- call_id -}}{{- '"}' -}}
        {%- elif version < 13 -%}
            {{- space -}}{{- call_id -}}[TOOL_CONTENT]{{- space -}}{{- content -}}
        {%- else -%}
            {{- content -}}
        {%- endif -%}
        [/TOOL_RESULTS]
    {%- elif message['role'] == 'system' and version > 3 -%}
        [SYSTEM_PROMPT]{{- space -}}{{- content -}}[/SYSTEM_PROMPT]
    {%- else -%}
        {{- raise_exception('this chat template has the roles system (first), user, assistant '
            'and tool, not ' ~ message['role']) -}}
    {%- endif -%}
{%- endfor -%}
"""

_TOKENS = {
    3: (
        "[INST]",
        "[/INST]",
        "[AVAILABLE_TOOLS]",
        "[/AVAILABLE_TOOLS]",
        "[TOOL_CALLS]",
        "[TOOL_RESULTS]",
        "[/TOOL_RESULTS]",
    ),
    7: ("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"),
    11: ("[CALL_ID]", "[ARGS]"),
    13: (),
}


class MarkedCalls(ToolStyle):
    """Calls of version 11 and later: name, id and arguments, each after a token of its own."""

    open: str = "[TOOL_CALLS]"
    pattern: str = r"(?P<name>[^\[{]+)(\[CALL_ID\](?P<id>[^\[{]*))?\[ARGS\](?P<arguments>.*)"

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the calls of the rest of an answer, each of which has its own opening."""
        bodies = re.split(r"\[TOOL_CALLS\](?=[^\[{]+\[(?:CALL_ID|ARGS)\])", body)
        found = [super(MarkedCalls, self).read(one) for one in bodies]
        return [call for calls in found if calls for call in calls] if all(found) else None


def mistral(version: Literal[3, 7, 11, 13], space: str = "", before: str = "") -> ChatTemplate:
    """Return the template of a version of Mistral's formats.

    Args:
        version: the version of the tokenizer.
        space: what stands between a token and text: a space with SentencePiece.
        before: Jinja that sets what else differs.
    """
    tokens = tuple(t for v, those in _TOKENS.items() if v <= version for t in those)
    return ChatTemplate(
        special_tokens=tokens,
        bos_token="<s>",
        eos_token="</s>",
        stops=("</s>",),
        # the source writes answers; this tells the reader that the space is no part of them
        answer=space + "{{ content }}",
        source=f"{{%- set version, space = {version}, '{space}' -%}}\n{before}{_SOURCE}",
        tools=MarkedCalls() if "[ARGS]" in tokens else ToolStyle(open="[TOOL_CALLS]"),
    )
