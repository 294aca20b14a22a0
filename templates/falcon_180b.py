"""Falcon 180B: System, User and Falcon as plain text, a line each.

Source: the chat template of tiiuae/falcon-180B-chat
(https://huggingface.co/tiiuae/falcon-180B-chat).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    eos_token="<|endoftext|>",
    stops=("<|endoftext|>",),
    system="System: {{ content }}\n",
    user="User: {{ content }}{% if not loop.last or add_generation_prompt %}\n{% endif %}",
    answer_prefix="Falcon:",
    answer=" {{ content }}",
    answer_suffix="{% if not loop.last or add_generation_prompt %}\n{% endif %}",
)
