"""Llama 3.1: Llama 3 with dates in the system prompt, and JSON tools, one call a turn.

Source: the chat template of meta-llama/Llama-3.1-8B-Instruct
(https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct).
"""

from luthier.templates.llama3 import TEMPLATE as LLAMA3
from luthier.templates.shared.llama_tools import CALL, IN_QUESTION, IN_SYSTEM, LlamaTools

TEMPLATE = LLAMA3.derived(
    special_tokens=(*LLAMA3.special_tokens, "<|eom_id|>", "<|python_tag|>"),
    stops=("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"),
    default_system="",
    # dates and tools belong to the first system message, not to later ones
    system=(
        "<|start_header_id|>system<|end_header_id|>\n\n"
        "{% if loop is not defined %}"
        "{% if tools or builtin_tools is defined %}Environment: ipython\n{% endif %}"
        "{% if builtin_tools is defined %}"
        "Tools: {{ builtin_tools | reject('equalto', 'code_interpreter') | join(', ') }}\n\n"
        "{% endif %}"
        "Cutting Knowledge Date: December 2023\n"
        "Today Date: {{ date_string or strftime_now('%d %b %Y') }}\n\n"
        "{% endif %}{{ content }}<|eot_id|>"
    ),
    user=(
        "<|start_header_id|>user<|end_header_id|>\n\n"
        "{% if tools and tools_in_user_message and loop.first %}"
        + IN_QUESTION
        + "{% endif %}{{ content }}<|eot_id|>"
    ),
    # the authors' text drops what is said beside a call
    answer="{% if not message['tool_calls'] %}{{ content }}{% endif %}",
    answer_end=(
        "{% if builtin_tools is defined and message['tool_calls'] %}<|eom_id|>"
        "{% else %}<|eot_id|>{% endif %}"
    ),
    tools=LlamaTools(
        definitions=IN_SYSTEM,
        calls=(
            "{% if calls | length > 1 %}"
            "{{ raise_exception('this model makes one tool call a turn; split the others off') }}"
            "{% endif %}{% set call = calls[0] %}"
            "{% if builtin_tools is defined and call.function.name in builtin_tools %}"
            "<|python_tag|>{{ call.function.name }}.call("
            "{% for name, value in call.function.arguments.items() %}"
            '{{ name }}="{{ value }}"{% if not loop.last %}, {% endif %}{% endfor %})'
            "{% else %}" + CALL + "{% endif %}"
        ),
        result=("<|start_header_id|>ipython<|end_header_id|>\n\n{{ content | tojson }}<|eot_id|>"),
        section=("<|python_tag|>", ""),
        at_start=True,
    ),
    options={"date_string": "26 Jul 2024", "tools_in_user_message": True, "builtin_tools": None},
)
