"""Gemma 4's format: one Jinja source for all sizes, and how its calls are read.

Source: the chat template of google/gemma-4-31B-it (https://huggingface.co/google/gemma-4-31B-it),
as published on 9 July 2026.
"""

from __future__ import annotations

import json
import re
from typing import Any

from luthier.core.templates import ToolCall, ToolStyle
from luthier.core.templates.tools import loosely

_QUOTE = '<|"|>'

_MACROS = r"""
{%- macro value_of(value, quoted) -%}
    {%- if value is none -%}
        null
    {%- elif value is string -%}
        <|"|>{{- value -}}<|"|>
    {%- elif value is boolean -%}
        {{- 'true' if value else 'false' -}}
    {%- elif value is mapping -%}
        {{- '{' -}}{{- pairs_of(value, quoted) -}}{{- '}' -}}
    {%- elif value is sequence -%}
        [
        {%- for item in value -%}
            {{- value_of(item, quoted) -}}{%- if not loop.last -%},{%- endif -%}
        {%- endfor -%}
        ]
    {%- else -%}
        {{- value -}}
    {%- endif -%}
{%- endmacro -%}

{%- macro pairs_of(value, quoted) -%}
    {%- for key, one in value | dictsort -%}
        {%- if quoted -%}<|"|>{{- key -}}<|"|>{%- else -%}{{- key -}}{%- endif -%}
        :{{- value_of(one, quoted) -}}{%- if not loop.last -%},{%- endif -%}
    {%- endfor -%}
{%- endmacro -%}

{#- what is no parameter is left out where an object has no properties of its own -#}
{%- macro parameters_of(schemas, bare=false) -%}
    {%- for name, schema in schemas | dictsort if not bare or
        name not in ['description', 'type', 'properties', 'required', 'nullable'] -%}
        {%- set type = schema['type'] | upper -%}
        {%- if not loop.first -%},{%- endif -%}
        {{- name -}}:{{- '{' -}}
        {%- if schema['description'] -%}
            description:<|"|>{{- schema['description'] -}}<|"|>,
        {%- endif -%}
        {%- if type == 'STRING' and schema['enum'] -%}
            enum:{{- value_of(schema['enum'], true) -}},
        {%- elif type == 'ARRAY' and schema['items'] is mapping and schema['items'] -%}
            items:{{- '{' -}}{{- items_of(schema['items']) -}}{{- '}' -}},
        {%- endif -%}
        {%- if schema['nullable'] -%}nullable:true,{%- endif -%}
        {%- if type == 'OBJECT' -%}
            properties:{{- '{' -}}
            {%- if schema['properties'] is mapping -%}
                {{- parameters_of(schema['properties']) -}}
            {%- else -%}
                {{- parameters_of(schema, true) -}}
            {%- endif -%}
            {{- '}' -}},
            {%- if schema['required'] -%}
                required:{{- value_of(schema['required'], true) -}},
            {%- endif -%}
        {%- endif -%}
        type:<|"|>{{- type -}}<|"|>{{- '}' -}}
    {%- endfor -%}
{%- endmacro -%}

{%- macro items_of(schema) -%}
    {%- for key, value in schema | dictsort if value is not none -%}
        {%- if not loop.first -%},{%- endif -%}
        {{- key -}}:
        {%- if key == 'properties' -%}
            {{- '{' -}}{{- parameters_of(value) if value is mapping -}}{{- '}' -}}
        {%- elif key == 'type' -%}
            {%- set types = [value] if value is string else value -%}
            {%- set types = types | map('upper') | list -%}
            {{- value_of(types[0] if value is string else types, true) -}}
        {%- else -%}
            {{- value_of(value, true) -}}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro -%}

{%- macro declared(tool) -%}
    <|tool>declaration:{{- tool['name'] -}}{{- '{' -}}
    description:<|"|>{{- tool['description'] -}}<|"|>
    {%- if tool['parameters'] -%}
        {%- set schema = tool['parameters'] -%}
        ,parameters:{{- '{' -}}
        {%- if schema['properties'] -%}
            properties:{{- '{' -}}{{- parameters_of(schema['properties']) -}}{{- '}' -}},
        {%- endif -%}
        {%- if schema['required'] -%}
            required:{{- value_of(schema['required'], true) -}},
        {%- endif -%}
        type:<|"|>{{- schema['type'] | upper -}}<|"|>{{- '}' -}}
    {%- endif -%}
    {{- '}' -}}<tool|>
{%- endmacro -%}
"""

# `closed` is set before it: whether the prompt ends with empty thoughts where none are asked for
_TURNS = r"""
{{- bos_token -}}
{%- set chat = messages -%}
{%- set instructed = messages[0]['role'] in ['system', 'developer'] -%}
{%- if enable_thinking or tools or instructed -%}
    <|turn>system{{- '\n' -}}
    {%- if enable_thinking -%}<|think|>{{- '\n' -}}{%- endif -%}
    {%- if instructed -%}
        {{- (messages[0]['content'] or '') | trim -}}
        {%- set chat = messages[1:] -%}
    {%- endif -%}
    {%- for tool in tools or [] -%}{{- declared(tool['function'] or tool) -}}{%- endfor -%}
    <turn|>{{- '\n' -}}
{%- endif -%}

{%- set state = namespace(last_question=-1, before=none, open=false) -%}
{%- for message in chat -%}
    {%- if message['role'] == 'user' -%}{%- set state.last_question = loop.index0 -%}{%- endif -%}
{%- endfor -%}

{%- for message in chat -%}
    {%- set calls = message['tool_calls'] or [] -%}
    {%- if message['role'] == 'tool' -%}
        {%- if not state.before or not state.before['tool_calls'] -%}
            {{- raise_exception('a tool message follows an answer that calls tools') -}}
        {%- endif -%}
    {%- elif message['role'] != 'assistant' -%}
        <|turn>{{- message['role'] -}}{{- '\n' -}}
        {{- (message['content'] or '') | trim -}}<turn|>{{- '\n' -}}
        {%- set state.open = false -%}
    {%- else -%}
        {#- the results of its calls, and whether an answer goes on after it in the same turn -#}
        {%- set after = namespace(results=[], role=none) -%}
        {%- for other in chat[loop.index:] if after.role is none -%}
            {%- if other['role'] != 'tool' -%}
                {%- set after.role = other['role'] -%}
            {%- else -%}
                {%- set after.results = after.results + [other] -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set results = after.results if calls else [] -%}
        {%- set said = namespace(text=message['content'] or '') -%}
        {%- if '<channel|>' in said.text or '<|channel>' in said.text -%}
            {%- set parts = said.text.split('<channel|>') -%}
            {%- set said.text = '' -%}
            {%- for part in parts -%}
                {%- set said.text = said.text + part.split('<|channel>')[0] -%}
            {%- endfor -%}
        {%- endif -%}
        {%- set said = said.text | trim -%}
        {%- set thoughts = message['reasoning_content'] if loop.index0 > state.last_question
            or (preserve_thinking and calls) -%}
        {%- set goes_on = after.role == 'assistant' and (results or not calls) -%}
        {%- set ends = not goes_on and (not results or said or after.role is not none) -%}

        {%- if not state.before or state.before['role'] != 'assistant' -%}
            <|turn>model{{- '\n' -}}
        {%- endif -%}
        {%- generation -%}
            {%- if thoughts -%}
                <|channel>thought{{- '\n' -}}{{- thoughts -}}{{- '\n' -}}<channel|>
            {%- endif -%}
            {%- for call in calls -%}
                <|tool_call>call:{{- call['function']['name'] -}}{{- '{' -}}
                {{- pairs_of(call['function']['arguments'] or {}, false) -}}{{- '}' -}}<tool_call|>
            {%- endfor -%}
            {%- if not results -%}
                {{- said -}}
                {%- if calls -%}<|tool_response>{%- elif ends -%}<turn|>{%- endif -%}
            {%- endif -%}
        {%- endgeneration -%}
        {%- for result in results -%}
            {%- set made = namespace(name=result['name'] or 'unknown') -%}
            {%- for call in calls if call['id'] == result['tool_call_id'] -%}
                {%- set made.name = call['function']['name'] -%}
            {%- endfor -%}
            <|tool_response>response:{{- made.name -}}{{- '{value:' -}}
            {{- value_of(result['content'], false) -}}{{- '}' -}}<tool_response|>
        {%- endfor -%}
        {#- the authors write what is said beside calls after their results -#}
        {%- if results and said -%}
            {%- generation -%}{{- said -}}{%- if ends -%}<turn|>{%- endif -%}{%- endgeneration -%}
        {%- elif results and ends -%}
            <turn|>
        {%- endif -%}
        {%- if ends and (results or not calls) -%}{{- '\n' -}}{%- endif -%}
        {%- set state.open = 'results' if results else 'calls' if calls else false -%}
    {%- endif -%}
    {%- if message['role'] != 'tool' -%}{%- set state.before = message -%}{%- endif -%}
{%- endfor -%}

{%- if add_generation_prompt -%}
    {%- if not state.open -%}
        <|turn>model{{- '\n' -}}
        {%- if closed and not enable_thinking -%}
            <|channel>thought{{- '\n' -}}<channel|>
        {%- endif -%}
    {%- elif state.open == 'results' and enable_thinking -%}
        <|channel>thought{{- '\n' -}}
    {%- endif -%}
{%- endif -%}
"""


def gemma4(*, closed: bool) -> str:
    """Return the Jinja source of Gemma 4.

    Args:
        closed: whether the prompt ends with empty thoughts where none are asked for.
    """
    return "{%- set closed = " + str(closed).lower() + " -%}" + _MACROS + _TURNS


class GemmaCalls(ToolStyle):
    """Calls whose arguments are objects of bare keys, with texts in quotes of their own."""

    open: str = "<|tool_call>"
    close: str = "<tool_call|>"

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the call in what stands between `open` and `close`."""
        if "{" not in body:
            return None  # and there is no need to look for it from each colon
        found = re.fullmatch(r"(?:[^{:]*+:+)?([^{]++)(\{.*)", body.strip(), re.DOTALL)
        if found is None:
            return None
        arguments = _arguments(found[2])
        return [ToolCall(found[1].strip(), arguments)] if isinstance(arguments, dict) else None


def _arguments(text: str) -> Any:
    """Return an object of arguments, mended where a character is wrong; None if there is none."""
    try:
        value, end = _value(text, 0)
        if end == len(text):
            return value
    except (ValueError, IndexError, RecursionError):
        pass
    return loosely(
        re.sub(r'<\|"\|>(.*?)<\|"\|>', lambda m: json.dumps(m[1]), text, flags=re.DOTALL)
    )


def _value(text: str, at: int) -> tuple[Any, int]:
    """Return the value that begins at a place, and where it ends."""
    if text.startswith(_QUOTE, at):
        end = text.index(_QUOTE, at + len(_QUOTE))
        return text[at + len(_QUOTE) : end], end + len(_QUOTE)
    if text[at] == "{":
        return _members(text, at + 1)
    if text[at] == "[":
        return _items(text, at + 1)
    value, end = json.JSONDecoder().raw_decode(text, at)
    return value, end


def _members(text: str, at: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while text[at] != "}":
        at += text[at] == ","
        if text.startswith(_QUOTE, at):
            key, at = _value(text, at)
        else:
            end = text.index(":", at)
            key, at = text[at:end].strip(), end
        if text[at] != ":":
            raise ValueError("no value follows a key")
        found[key], at = _value(text, at + 1)
    return found, at + 1


def _items(text: str, at: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    while text[at] != "]":
        at += text[at] == ","
        value, at = _value(text, at)
        found.append(value)
    return found, at + 1
