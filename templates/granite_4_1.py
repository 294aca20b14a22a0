"""Granite 4.1: Granite 4 without a system prompt of its own; an empty one is left out.

Source: the chat template of ibm-granite/granite-4.1-8b
(https://huggingface.co/ibm-granite/granite-4.1-8b).
"""

from luthier.templates.granite_4 import TEMPLATE as GRANITE_4
from luthier.templates.shared.granite import DOCUMENTS

TEMPLATE = GRANITE_4.derived(
    system=(
        "{% if content or documents or loop is defined %}<|start_of_role|>system<|end_of_role|>"
        "{{ content }}{% if documents and loop is not defined %}" + DOCUMENTS + "{% endif %}"
        "<|end_of_text|>\n{% endif %}"
    ),
)
