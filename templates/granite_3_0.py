"""Granite 3.0: roles between tokens of their own, tools in a turn before everything else.

Source: the chat template of ibm-granite/granite-3.0-8b-instruct
(https://huggingface.co/ibm-granite/granite-3.0-8b-instruct).
"""

from luthier.core.templates import ChatTemplate
from luthier.templates.shared.granite import listed

TEMPLATE = ChatTemplate(
    special_tokens=("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>", "<|tool_call|>"),
    stops=("<|end_of_text|>",),
    begin=(
        "{% if tools %}<|start_of_role|>available_tools<|end_of_role|>\n{% for tool in tools %}"
        "{{ tool | tojson(indent=4) }}{% if not loop.last %}\n\n{% endif %}{% endfor %}"
        "<|end_of_text|>\n{% endif %}"
    ),
    # with tools alone there is no system message
    system=(
        "{% if loop is defined or messages[0]['role'] == 'system' %}"
        "<|start_of_role|>system<|end_of_role|>{{ content }}<|end_of_text|>\n{% endif %}"
    ),
    user="<|start_of_role|>user<|end_of_role|>{{ content }}<|end_of_text|>\n",
    answer_prefix="<|start_of_role|>assistant<|end_of_role|>",
    answer_end="<|end_of_text|>",
    answer_suffix="\n",
    tools=listed("tool_response"),
)
