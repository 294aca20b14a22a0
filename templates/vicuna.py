"""Vicuna 1.5: USER and ASSISTANT as plain text after a system prompt of its own.

Source: the conversation of FastChat for lmsys/vicuna-7b-v1.5
(https://github.com/lm-sys/FastChat).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    eos_token="</s>",
    stops=("</s>",),
    system="{{ content }} ",
    default_system=(
        "A chat between a curious user and an artificial intelligence assistant. The assistant "
        "gives helpful, detailed, and polite answers to the user's questions."
    ),
    user="USER:{% if content %} {{ content }} {% endif %}",
    answer_prefix="ASSISTANT:",
    answer=" {{ content }}",
    answer_end="{{ eos_token }}",
)
