"""Llama 4: Llama 3's tokens under new names, several calls after what is said beside them.

Source: the first chat template of meta-llama/Llama-4-Scout-17B-16E-Instruct
(https://huggingface.co/meta-llama/Llama-4-Scout-17B-16E-Instruct).
"""

from luthier.core.templates import ChatTemplate
from luthier.templates.shared.llama_tools import CALL, IN_QUESTION, IN_SYSTEM, LlamaTools

TEMPLATE = ChatTemplate(
    special_tokens=(
        "<|header_start|>",
        "<|header_end|>",
        "<|eot|>",
        "<|eom|>",
        "<|end_of_text|>",
        "<|python_start|>",
        "<|python_end|>",
    ),
    bos_token="<|begin_of_text|>",
    eos_token="<|eot|>",
    stops=("<|eot|>", "<|eom|>", "<|end_of_text|>"),
    begin="{{ bos_token }}",
    # tools alone make no system message
    system=(
        "{% if messages[0]['role'] == 'system' or loop is defined %}"
        "<|header_start|>system<|header_end|>\n\n"
        "{% if tools and loop is not defined %}Environment: ipython\n{% endif %}"
        "{{ content }}<|eot|>{% endif %}"
    ),
    user=(
        "<|header_start|>user<|header_end|>\n\n"
        "{% if tools and tools_in_user_message and loop.first %}"
        + IN_QUESTION
        + "{{ content | trim }}{% else %}{{ content }}{% endif %}<|eot|>"
    ),
    answer_prefix="<|header_start|>assistant<|header_end|>\n\n",
    answer=(
        "{% if message['tool_calls'] %}<|python_start|>{{ content }}<|python_end|>"
        "{% else %}{{ content }}{% endif %}"
    ),
    answer_end="<|eot|>",
    strip=frozenset({"system"}),
    tools=LlamaTools(
        definitions=IN_SYSTEM,
        calls="{% for call in calls %}" + CALL + "{% endfor %}",
        result="<|header_start|>ipython<|header_end|>\n\n{{ content | tojson }}<|eot|>",
        section=("<|python_start|>", "<|python_end|>"),
    ),
    options={"tools_in_user_message": True},
)
