"""LFM2: ChatML after a BOS token, with calls in Python between tokens.

Source: the chat template of LiquidAI/LFM2-1.2B (https://huggingface.co/LiquidAI/LFM2-1.2B), and its
model card for calls, which the template leaves out: they stand before the text beside them.
"""

from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.shared.pythonic import Pythonic, written

_CALL = written("value if value is boolean or value is none else value | tojson")

TEMPLATE = CHATML.derived(
    special_tokens=(
        *CHATML.special_tokens,
        "<|tool_list_start|>",
        "<|tool_list_end|>",
        "<|tool_call_start|>",
        "<|tool_call_end|>",
        "<|tool_response_start|>",
        "<|tool_response_end|>",
    ),
    bos_token="<|startoftext|>",
    begin="{{ bos_token }}",
    system="{% if content %}<|im_start|>system\n{{ content }}<|im_end|>\n{% endif %}",
    answer=(
        "{% if message['tool_calls'] %}<|tool_call_start|>["
        "{% for call in message['tool_calls'] %}{% if not loop.first %}, {% endif %}"
        + _CALL
        + "{% endfor %}]<|tool_call_end|>{% endif %}{{ content }}"
    ),
    tools=Pythonic(
        definitions=(
            "{{ content }}{% if content %}\n{% endif %}List of tools: <|tool_list_start|>["
            "{% for tool in tools %}{% if not loop.first %}, {% endif %}{{ tool | tojson }}"
            "{% endfor %}]<|tool_list_end|>"
        ),
        result=(
            "<|im_start|>tool\n<|tool_response_start|>{{ content }}<|tool_response_end|>"
            "<|im_end|>\n"
        ),
        open="<|tool_call_start|>",
        close="<|tool_call_end|>",
    ),
)
