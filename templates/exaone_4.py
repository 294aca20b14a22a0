"""EXAONE 4: role tags, and thoughts that are left empty unless asked for.

Source: the chat template of LGAI-EXAONE/EXAONE-4.0-32B
(https://huggingface.co/LGAI-EXAONE/EXAONE-4.0-32B). The authors write the thoughts of the last
message alone, and only with `skip_think: false`; to go on thinking, `enable_thinking: true`.
"""

from luthier.core.templates import ChatTemplate, Thinking, ToolStyle

_TOOLS = ToolStyle(
    definitions=(
        "{{ content }}{% if messages[0]['role'] == 'system' %}\n\n{% endif %}# Available Tools\n"
        "You can use none, one, or multiple of the following tools by calling them as functions "
        "to help with the user’s query.\n"
        "Here are the tools available to you in JSON format within <tool> and </tool> tags:\n"
        "{% for tool in tools %}<tool>{{ tool | tojson }}</tool>\n{% endfor %}\n"
        "For each function call you want to make, return a JSON object with function name and "
        "arguments within <tool_call> and </tool_call> tags, like:\n"
        '<tool_call>{"name": function_1_name, "arguments": {argument_1_name: argument_1_value, '
        "argument_2_name: argument_2_value}}</tool_call>\n"
        '<tool_call>{"name": function_2_name, "arguments": {...}}</tool_call>\n...\n'
        "Note that if no argument name is specified for a tool, you can just print the argument "
        "value directly, without the argument name or JSON formatting."
    ),
    calls=(
        "{% for call in calls %}{% if message['content'] or not loop.first %}\n{% endif %}"
        '<tool_call>{"name": "{{ call.function.name }}", '
        '"arguments": {{ call.function.arguments | tojson }}}</tool_call>{% endfor %}'
    ),
    result=(
        "{% if first %}[|tool|]\n{% endif %}"
        "<tool_result>{\"result\": {{ message['content'] | tojson }}}</tool_result>"
        "{% if last %}[|endofturn|]{% endif %}\n"
    ),
    open="<tool_call>",
    close="</tool_call>",
)

TEMPLATE = ChatTemplate(
    special_tokens=("[|system|]", "[|user|]", "[|assistant|]", "[|tool|]", "[|endofturn|]"),
    stops=("[|endofturn|]",),
    system="[|system|]\n{{ content }}[|endofturn|]\n",
    user="[|user|]\n{{ content }}[|endofturn|]\n",
    answer_prefix=(
        "[|assistant|]\n{% set thought = skip_think is defined and not skip_think and loop.last "
        "and thinking and message['content'] %}"
        "{% if thought %}<think>\n{% elif message['content'] or message['tool_calls'] %}"
        "<think>\n\n</think>\n\n{% endif %}"
    ),
    answer=(
        "{% if thought %}{{ thinking }}\n</think>\n\n{% endif %}"
        "{% set said = message['content'] or '' %}"
        "{{ said.split('</think>')[-1].strip() if '</think>' in said else said }}"
    ),
    answer_end="[|endofturn|]",
    answer_suffix="\n",
    prompt=(
        "[|assistant|]\n<think>\n"
        "{% if enable_thinking is not defined or not enable_thinking %}\n</think>\n\n{% endif %}"
    ),
    thinking=Thinking(kept="none"),
    tools=_TOOLS,
    options={"enable_thinking": None, "skip_think": None},
)
