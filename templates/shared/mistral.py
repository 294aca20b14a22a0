"""Versions 3 to 13 of Mistral's formats: one Jinja source, put together from what versions change.

Source: mistral-common, Mistral's code for its formats
(https://github.com/mistralai/mistral-common/tree/main/src/mistral_common/tokens/tokenizers).
"""

import re
from typing import Literal

from luthier.core.templates import ToolStyle
from luthier.core.templates.tools import ToolCall

Version = Literal[3, 7, 11, 13]

TOKENS = (
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
)
SYSTEM_TOKENS = ("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")

# in the texts below, a middle dot stands for the space that SentencePiece puts after a token

_SYSTEM_APART = """
{%- set chat = messages -%}
{%- set system = none -%}
{%- if messages[0]['role'] == 'system' -%}
    {%- set chat = messages[1:] -%}
    {%- set system = messages[0]['content'] or '' -%}
{%- endif -%}
"""

_SYSTEM_TURNS = "{%- set chat = messages -%}"

_ORDER = """
{%- for message in chat
    if message['role'] in ['user', 'assistant'] and not message['tool_calls'] -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{- raise_exception('user and assistant have to alternate, the user first '
            '(tool calls and their results may stand between them)') -}}
    {%- endif -%}
{%- endfor -%}
{%- set questions = chat | selectattr('role', 'equalto', 'user') | list | length -%}
{%- set asked = namespace(count=0) -%}
"""

_QUESTION = """
{%- if message['role'] == 'user' -%}
    {%- set asked.count = asked.count + 1 -%}
    {%- if tools and asked.count == TOOLS_AT -%}
        {{- '[AVAILABLE_TOOLS]·' -}}{{- tools | tojson -}}[/AVAILABLE_TOOLS]
    {%- endif -%}
    {{- '[INST]·' -}}
    FOLDED
    {{- content -}}[/INST]
"""

_FOLDED = """
    {%- if TOLD -%}
        {{- system -}}{{- '\\n\\n' -}}
    {%- endif -%}
"""

_SAID = "{{- '·' -}}{{- content -}}"

_ANSWER = """
{%- elif message['role'] == 'assistant' -%}
    {%- generation -%}
        ANSWER
        {{- eos_token -}}
    {%- endgeneration -%}
"""

# version 3 has no text beside calls
_CALLS_OR_CONTENT = """
        {%- if message['tool_calls'] -%}CALLS{%- else -%}SAID{%- endif -%}
"""

_CONTENT_AND_CALLS = """
        THOUGHTS
        {%- if content -%}SAID{%- endif -%}
        {%- if message['tool_calls'] -%}CALLS{%- endif -%}
"""

_CHECKED_ID = """
            {%- if (call['id'] or '') | length != 9 -%}
                {{- raise_exception('the ids of this model\\'s tool calls have 9 characters') -}}
            {%- endif -%}
"""

_JSON_CALLS = (
    """
        {{- '[TOOL_CALLS]·[' -}}
        {%- for call in message['tool_calls'] -%}"""
    + _CHECKED_ID
    + """
            {%- set made = call['function'] -%}
            {{- {'name': made['name'], 'arguments': made['arguments'], 'id': call['id']}
                | tojson -}}
            {%- if not loop.last -%}{{- ', ' -}}{%- endif -%}
        {%- endfor -%}]
"""
)

_MARKED_CALLS = """
        {%- for call in message['tool_calls'] -%}
            {{- '[TOOL_CALLS]' -}}{{- call['function']['name'] -}}
            CALL_ID
            {{- '[ARGS]' -}}{{- call['function']['arguments'] | tojson -}}
        {%- endfor -%}
"""

_CALL_ID = _CHECKED_ID + "{{- '[CALL_ID]' -}}{{- call['id'] -}}"

_RESULT = """
{%- elif message['role'] == 'tool' -%}
    {%- set call_id = message['tool_call_id'] or '' -%}
    {%- if call_id | length != 9 -%}
        {{- raise_exception('the ids of this model\\'s tool calls have 9 characters') -}}
    {%- endif -%}
    {{- '[TOOL_RESULTS]·' -}}
    RESULT
    {{- '[/TOOL_RESULTS]' -}}
"""

# what is JSON stands as it is, everything else is quoted
_JSON_RESULT = """
    {%- set is_json = content.startswith(('{', '[')) or content | int | string == content
        or content | float | string == content -%}
    {{- '{"content": ' -}}{{- content if is_json else content | tojson -}}
    {{- ', "call_id": "' -}}{{- call_id -}}{{- '"}' -}}
"""

_MARKED_RESULT = "{{- call_id -}}{{- '[TOOL_CONTENT]·' -}}{{- content -}}"

_PLAIN_RESULT = """
{%- elif message['role'] == 'tool' -%}
    {{- '[TOOL_RESULTS]' -}}{{- content -}}{{- '[/TOOL_RESULTS]' -}}
"""

_LATER_SYSTEM = """
{%- elif message['role'] == 'system' -%}
    {{- '[SYSTEM_PROMPT]·' -}}{{- content -}}{{- '[/SYSTEM_PROMPT]' -}}
"""
