"""Kimi K2 Thinking: Kimi K2 with thoughts, kept beside calls until they are answered.

Source: the chat template of moonshotai/Kimi-K2-Thinking
(https://huggingface.co/moonshotai/Kimi-K2-Thinking).
"""

from luthier.core.templates import Thinking
from luthier.templates.kimi_k2 import TEMPLATE as KIMI_K2
from luthier.templates.shared.kimi import DECLARED_TIGHTLY, IDENTIFIED

# thoughts stand only where no answer without calls is, or follows; thoughts in a content stay
TEMPLATE = KIMI_K2.derived(
    begin=DECLARED_TIGHTLY,
    default_system="You are Kimi, an AI assistant created by Moonshot AI.",
    user="<|im_user|>{{ message['name'] or 'user' }}<|im_middle|>{{ content }}<|im_end|>",
    thinking=Thinking(kept="none"),
    answer=(
        "{% set answers = chat[loop.index0:] | selectattr('role', 'equalto', 'assistant')"
        " | rejectattr('tool_calls') | list %}"
        "<think>{% if not answers %}{{ message['reasoning_content'] }}{% endif %}</think>"
        "{{ message['content'] or '' }}"
    ),
    tools=IDENTIFIED,
)
