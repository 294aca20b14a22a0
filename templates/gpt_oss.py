"""gpt-oss: harmony, whose answers are messages to channels; the last one ends in <|return|>.

Source: the chat template of openai/gpt-oss-20b (https://huggingface.co/openai/gpt-oss-20b), and
OpenAI's harmony library (https://github.com/openai/harmony) for several calls in one answer.
"""

from luthier.core.templates import Thinking, ToolStyle
from luthier.templates.shared.harmony import HarmonyTemplate
from luthier.templates.shared.typescript import DECLARED

# the tools that OpenAI's own models have; an option of the authors' template asks for them
_BUILTIN = r"""
{%- if builtin_tools -%}
    {{- '# Tools\n\n' -}}
    {%- if 'browser' in builtin_tools -%}
        {{- '## browser\n\n// Tool for browsing.\n' -}}
        {{- '// The `cursor` appears in brackets before each browsing display: `[{cursor}]`.\n' -}}
        {{- '// Cite information from the tool using the following format:\n' -}}
        {{- '// `【{cursor}†L{line_start}(-L{line_end})?】`, for example: ' -}}
        {{- '`【6†L9-L11】` or `【8†L3】`.\n' -}}
        {{- '// Do not quote more than 10 words directly from the tool output.\n' -}}
        {{- '// sources=web (default: web)\nnamespace browser {\n\n' -}}
        {{- '// Searches for information related to `query` and displays `topn` results.\n' -}}
        {{- 'type search = (_: {\nquery: string,\ntopn?: number, // default: 10\n' -}}
        {{- 'source?: string,\n}) => any;\n\n' -}}
        {{- '// Opens the link `id` from the page indicated by `cursor` starting at line ' -}}
        {{- 'number `loc`, showing `num_lines` lines.\n' -}}
        {{- '// Valid link ids are displayed with the formatting: `【{id}†.*】`.\n' -}}
        {{- '// If `cursor` is not provided, the most recent page is implied.\n' -}}
        {{- '// If `id` is a string, it is treated as a fully qualified URL associated with ' -}}
        {{- '`source`.\n// If `loc` is not provided, the viewport will be positioned at the ' -}}
        {{- 'beginning of the document or centered on the most relevant passage, if ' -}}
        {{- 'available.\n// Use this function without `id` to scroll to a new location of ' -}}
        {{- 'an opened page.\ntype open = (_: {\nid?: number | string, // default: -1\n' -}}
        {{- 'cursor?: number, // default: -1\nloc?: number, // default: -1\n' -}}
        {{- 'num_lines?: number, // default: -1\nview_source?: boolean, // default: false\n' -}}
        {{- 'source?: string,\n}) => any;\n\n' -}}
        {{- '// Finds exact matches of `pattern` in the current page, or the page given by ' -}}
        {{- '`cursor`.\ntype find = (_: {\npattern: string,\n' -}}
        {{- 'cursor?: number, // default: -1\n}) => any;\n\n} // namespace browser\n\n' -}}
    {%- endif -%}
    {%- if 'python' in builtin_tools -%}
        {{- '## python\n\nUse this tool to execute Python code in your chain of thought. ' -}}
        {{- 'The code will not be shown to the user. This tool should be used for internal ' -}}
        {{- 'reasoning, but not for code that is intended to be visible to the user ' -}}
        {{- '(e.g. when creating plots, tables, or files).\n\n' -}}
        {{- 'When you send a message containing Python code to python, it will be executed in ' -}}
        {{- 'a stateful Jupyter notebook environment. python will respond with the output of ' -}}
        {{- 'the execution or time out after 120.0 seconds. The drive at ' -}}
        {{- "'/mnt/data' can be used to save and persist user files. Internet access for this " -}}
        {{- 'session is UNKNOWN. Depends on the cluster.\n\n' -}}
    {%- endif -%}
{%- endif -%}
"""

_SOURCE = (
    r"""
{%- set asked = messages[0]['role'] in ['system', 'developer'] -%}
{%- set chat = messages[1:] if asked else messages -%}
{%- set instructions = (messages[0]['content'] or '') if asked else '' -%}

<|start|>system<|message|>
{{- model_identity or 'You are ChatGPT, a large language model trained by OpenAI.' -}}
{{- '\nKnowledge cutoff: 2024-06\nCurrent date: ' -}}{{- strftime_now('%Y-%m-%d') -}}
{{- '\n\nReasoning: ' -}}{{- reasoning_effort or 'medium' -}}{{- '\n\n' -}}
"""
    + _BUILTIN
    + r"""
{{- '# Valid channels: analysis, commentary, final. ' -}}
{{- 'Channel must be included for every message.' -}}
{%- if tools -%}
    {{- "\nCalls to these tools must go to the commentary channel: 'functions'." -}}
{%- endif -%}
<|end|>

{%- if instructions or tools -%}
    <|start|>developer<|message|>
    {%- if instructions -%}
        {{- '# Instructions\n\n' -}}{{- instructions -}}{{- '\n\n' -}}
    {%- endif -%}
    {%- if tools -%}
        {{- '# Tools\n\n## functions\n\nnamespace functions {\n\n' -}}
        {{- declared(tools, ',\n', '\n\n') -}}
        {{- '\n\n} // namespace functions' -}}
    {%- endif -%}
    <|end|>
{%- endif -%}

{#- the authors' template writes one call of an answer; with more, the text is their library's -#}
{%- set state = namespace(several=false, last_final=-1, calls=[]) -%}
{%- for message in chat if message['role'] == 'assistant' -%}
    {%- if message['tool_calls'] and message['tool_calls'] | length > 1 -%}
        {%- set state.several = true -%}
    {%- endif -%}
{%- endfor -%}
{%- for message in chat -%}
    {%- if message['role'] == 'assistant' and not message['tool_calls'] -%}
        {%- set state.last_final = loop.index0 -%}
    {%- endif -%}
{%- endfor -%}

{%- for message in chat -%}
    {%- set content = message['content'] or '' -%}
    {%- if message['role'] == 'user' -%}
        <|start|>user<|message|>{{- content -}}<|end|>
    {%- elif message['role'] == 'assistant' and message['tool_calls'] -%}
        {%- set state.calls = message['tool_calls'] -%}
        <|start|>assistant
        {%- generation -%}
            {#- thoughts before calls stay until a final answer follows -#}
            {%- if loop.index0 > state.last_final and (message['reasoning_content'] or content) -%}
                <|channel|>analysis<|message|>
                {{- message['reasoning_content'] or content -}}<|end|><|start|>assistant
                {%- if message['reasoning_content'] and content -%}
                    <|channel|>commentary<|message|>{{- content -}}<|end|><|start|>assistant
                {%- endif -%}
            {%- endif -%}
            {%- for call in state.calls -%}
                {%- if not loop.first -%}<|start|>assistant{%- endif -%}
                {{- ' to=functions.' -}}{{- call['function']['name'] -}}
                {{- '<|channel|>commentary ' -}}
                {%- if state.several -%}<|constrain|>{%- endif -%}
                json<|message|>{{- call['function']['arguments'] | tojson -}}<|call|>
            {%- endfor -%}
        {%- endgeneration -%}
    {%- elif message['role'] == 'assistant' -%}
        {%- set state.calls = [] -%}
        {%- set ends = loop.last and not add_generation_prompt -%}
        <|start|>assistant
        {%- generation -%}
            {%- if ends and message['reasoning_content'] -%}
                <|channel|>analysis<|message|>
                {{- message['reasoning_content'] -}}<|end|><|start|>assistant
            {%- endif -%}
            <|channel|>final<|message|>{{- content -}}
            {%- if ends -%}<|return|>{%- endif -%}
        {%- endgeneration -%}
        {#- what replaces <|return|> in the history is not what the model has to write -#}
        {%- if not ends -%}<|end|>{%- endif -%}
    {%- elif message['role'] == 'tool' -%}
        {%- if not state.calls -%}
            {{- raise_exception('a tool message follows an answer that calls tools') -}}
        {%- endif -%}
        {%- set made = namespace(name=state.calls[0]['function']['name']) -%}
        {%- for call in state.calls if call['id'] == message['tool_call_id'] -%}
            {%- set made.name = call['function']['name'] -%}
        {%- endfor -%}
        <|start|>functions.{{- made.name -}}{{- ' to=assistant<|channel|>commentary<|message|>' -}}
        {{- content if state.several else content | tojson -}}<|end|>
    {%- else -%}
        {{- raise_exception('this chat template has the roles system or developer (first), user, '
            'assistant and tool, not ' ~ message['role']) -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|start|>assistant{%- endif -%}
"""
)

TEMPLATE = HarmonyTemplate(
    special_tokens=(
        "<|start|>",
        "<|channel|>",
        "<|constrain|>",
        "<|message|>",
        "<|end|>",
        "<|call|>",
        "<|return|>",
    ),
    stops=("<|return|>", "<|call|>"),
    source=DECLARED + _SOURCE,
    thinking=Thinking(open="<|channel|>analysis<|message|>", close="<|end|>", kept="last"),
    tools=ToolStyle(open=" to=functions.", close="<|call|>"),
    options={
        "reasoning_effort": None,
        "model_identity": None,
        "builtin_tools": None,
        "thinking": None,
    },
)
