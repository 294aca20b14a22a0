"""Phi-4-mini-reasoning: Phi-4-mini with a system prompt that a system message is added to.

Source: the chat template of microsoft/Phi-4-mini-reasoning
(https://huggingface.co/microsoft/Phi-4-mini-reasoning).
"""

from luthier.core.templates import Thinking
from luthier.templates.phi_4_mini import TEMPLATE as PHI_4_MINI

TEMPLATE = PHI_4_MINI.derived(
    begin=(
        "<|system|>Your name is Phi, an AI math expert developed by Microsoft."
        "{% for message in messages %}{% if message['role'] == 'system' %} {{ message['content'] }}"
        "{% if message['tools'] %}<|tool|>{{ message['tools'] }}<|/tool|>{% endif %}"
        "{% endif %}{% endfor %}<|end|>"
    ),
    # all system messages are told at the beginning
    system="",
    # thoughts stand in the content; the authors' text writes none that are given apart
    thinking=Thinking(kept="none"),
    answer="{{ message['content'] or '' }}",
)
