"""MiniCPM: a tag before each turn, contents stripped, no token after an answer.

Source: the chat template of openbmb/MiniCPM-2B-sft-bf16
(https://huggingface.co/openbmb/MiniCPM-2B-sft-bf16).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    eos_token="</s>",
    stops=("</s>",),
    system="{{ content }}",
    user="<用户>{{ content }}",
    answer_prefix="<AI>",
    # a question is followed by it whether or not an answer is asked for
    finish="{% if messages and messages[-1]['role'] == 'user' %}<AI>{% endif %}",
    strip=frozenset({"system", "user", "assistant"}),
)
