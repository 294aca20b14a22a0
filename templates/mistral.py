"""Mistral 7B v0.1 and v0.2: [INST] as plain text, the system prompt in the first question.

Source: the chat template of mistralai/Mistral-7B-Instruct-v0.1
(https://huggingface.co/mistralai/Mistral-7B-Instruct-v0.1), version 1 of Mistral's formats.
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    bos_token="<s>",
    eos_token="</s>",
    stops=("</s>",),
    begin="{{ bos_token }}",
    system="{% set opening = content %}",
    user=(
        " [INST] {% if loop.first and opening is defined %}{{ opening }}\n\n{% endif %}"
        "{{ content }} [/INST]"
    ),
    answer=" {{ content }}",
    answer_end="{{ eos_token }}",
    alternate=True,
)
