"""The formats of OLMo 3: one Jinja source, and how calls are read.

Source: the templates `olmo` and `olmo_thinker` of open-instruct
(https://github.com/allenai/open-instruct/blob/main/open_instruct/dataset_transformation.py). There
the tools are a text of the system message, its key `functions`, calls are the key `function_calls`
of an answer, and results have the role `environment`. Tools, calls and results in OpenAI's form are
written in the same places, as the chat template of allenai/Olmo-3-7B-Instruct writes them
(https://huggingface.co/allenai/Olmo-3-7B-Instruct).
"""

from luthier.core.templates import ChatTemplate, Thinking
from luthier.templates.shared.pythonic import Pythonic, written

# `default` (the system prompt where there is none) and `thinker` are set before it
_SOURCE = (
    r"""
{%- set told = tools | map(attribute='function') | list | tojson if tools else none -%}
{%- macro functions(own) -%}
    {%- set known = own if own is string else told -%}
    {%- if known is string -%}
        {{- ' <functions>' -}}{{- known -}}{{- '</functions>' -}}
    {%- else -%}
        {{- ' You do not currently have access to any functions. <functions></functions>' -}}
    {%- endif -%}
{%- endmacro -%}

{%- if not messages | selectattr('role', 'equalto', 'system') | list -%}
    {{- '<|im_start|>system\n' -}}{{- default -}}
    {%- if tools or not thinker -%}{{- functions(none) -}}{%- endif -%}
    {{- '<|im_end|>\n' -}}
{%- endif -%}
{%- for message in messages -%}
    {%- set role = message['role'] -%}
    {%- set content = message['content'] or '' -%}
    {%- if role == 'system' -%}
        {{- '<|im_start|>system\n' -}}{{- content -}}{{- functions(message['functions']) -}}
        {{- '<|im_end|>\n' -}}
    {%- elif role == 'user' -%}
        {{- '<|im_start|>user\n' -}}{{- content -}}
        {%- if message['functions'] is string -%}
            {{- '\n<functions>' -}}{{- message['functions'] -}}{{- '</functions>' -}}
        {%- endif -%}
        {{- '<|im_end|>\n' -}}
    {%- elif role == 'assistant' -%}
        {{- '<|im_start|>assistant\n' -}}
        {%- if thinker and message['reasoning_content'] -%}
            {%- set thoughts = message['reasoning_content'] -%}
            {%- set content = '<think>' + thoughts + '</think>' + content -%}
        {%- endif -%}
        {%- if thinker and content.startswith('<think>') -%}
            {{- '<think>' -}}{%- set content = content[7:] -%}
        {%- endif -%}
        {%- generation -%}
        {{- content -}}
        {%- if message['function_calls'] is string -%}
            {{- '<function_calls>' -}}{{- message['function_calls'] -}}{{- '</function_calls>' -}}
        {%- elif message['tool_calls'] -%}
            {{- '<function_calls>' -}}
            {%- for call in message['tool_calls'] -%}
                {%- if not loop.first -%}{{- '\n' -}}{%- endif -%}
                """
    + written("value | tojson")
    + r"""
            {%- endfor -%}
            {{- '</function_calls>' -}}
        {%- endif -%}
        {%- if loop.last -%}{{- eos_token -}}{%- else -%}{{- '<|im_end|>' -}}{%- endif -%}
        {%- endgeneration -%}
        {%- if not loop.last -%}{{- '\n' -}}{%- endif -%}
    {%- elif role in ['environment', 'tool'] -%}
        {{- '<|im_start|>environment\n' -}}{{- content -}}{{- '<|im_end|>\n' -}}
    {%- else -%}
        {{- raise_exception("'" ~ role ~ "' is no role that this chat template has; "
            'it has: system, user, assistant, environment, tool') -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|im_start|>assistant\n' -}}
    {%- if thinker -%}{{- '<think>' -}}{%- endif -%}
{%- endif -%}
"""
)


def olmo(default: str, thinking: Thinking | None = None) -> ChatTemplate:
    """Return the format of OLMo 3 with a system prompt of its own, for a model that thinks or not.

    Args:
        default: the system prompt where the conversation has none.
        thinking: where thoughts are written.
    """
    thinker = "true" if thinking else "false"
    return ChatTemplate(
        special_tokens=("<|im_start|>", "<|im_end|>"),
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        # the last answer ends with EOS, those before it with <|im_end|>
        stops=("<|im_end|>", "<|endoftext|>"),
        thinking=thinking,
        tools=Pythonic(open="<function_calls>", close="</function_calls>"),
        source=f"{{%- set default = {default!r} -%}}{{%- set thinker = {thinker} -%}}{_SOURCE}",
    )
