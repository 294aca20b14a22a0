"""Granite 4: roles of Granite 3, a system prompt even for an empty one, tools between tags.

Source: the chat template of ibm-granite/granite-4.0-micro
(https://huggingface.co/ibm-granite/granite-4.0-micro).
"""

from luthier.templates.granite_3_0 import TEMPLATE as GRANITE_3_0
from luthier.templates.shared.granite import DOCUMENTS, TAGGED

TEMPLATE = GRANITE_3_0.derived(
    special_tokens=("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"),
    begin="",
    default_system="",
    system=(
        "<|start_of_role|>system<|end_of_role|>{{ content }}"
        "{% if loop is not defined %}{% if documents %}" + DOCUMENTS + "{% elif not content %}"
        "You are a helpful assistant. Please ensure responses are professional, accurate, and safe."
        "{% endif %}{% endif %}<|end_of_text|>\n"
    ),
    tools=TAGGED,
    options={"documents": None},
)
