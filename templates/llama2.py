"""Llama 2: BOS before every turn, and the system prompt inside the first question.

Source: the chat template of meta-llama/Llama-2-7b-chat-hf
(https://huggingface.co/meta-llama/Llama-2-7b-chat-hf), after Meta's code
(https://github.com/meta-llama/llama/blob/main/llama/generation.py).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    bos_token="<s>",
    eos_token="</s>",
    stops=("</s>",),
    system="{% set opening = content %}",
    # the authors strip the system prompt and the question together, after joining them
    user=(
        "{{ bos_token }}[INST] {% if loop.first and opening is defined %}"
        "<<SYS>>\n{{ opening }}\n<</SYS>>"
        "{% if content.strip() %}\n\n{{ content.rstrip() }}{% endif %}"
        "{% else %}{{ content.strip() }}{% endif %} [/INST]"
    ),
    answer=" {{ content }}",
    answer_end=" {{ eos_token }}",
    alternate=True,
    strip=frozenset({"assistant"}),
)
