"""SOLAR: headings of roles as plain text, no token after an answer.

Source: the chat template of upstage/SOLAR-10.7B-Instruct-v1.0
(https://huggingface.co/upstage/SOLAR-10.7B-Instruct-v1.0).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    eos_token="</s>",
    stops=("</s>",),
    system="{% if content %}### System:\n{{ content }}\n\n{% endif %}",
    user="### User:\n{{ content }}\n\n",
    answer_prefix="### Assistant:\n",
)
