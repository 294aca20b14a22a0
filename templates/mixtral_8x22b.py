"""Mixtral 8x22B: control tokens around a question, the system prompt within the last.

Source: the chat template of mistralai/Mixtral-8x22B-Instruct-v0.1
(https://huggingface.co/mistralai/Mixtral-8x22B-Instruct-v0.1).
"""

from luthier.templates.mistral import TEMPLATE as MISTRAL

TEMPLATE = MISTRAL.derived(
    special_tokens=("[INST]", "[/INST]"),
    user=(
        "[INST] {% if loop.last and system is not none %}{{ system }}\n\n{% endif %}{{ "
        "content }}[/INST]"
    ),
)
