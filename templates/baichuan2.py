"""Baichuan 2: reserved tokens before each turn, none after an answer.

Source: the prompt code of baichuan-inc/Baichuan2-13B-Chat
(https://huggingface.co/baichuan-inc/Baichuan2-13B-Chat).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("<reserved_106>", "<reserved_107>"),
    eos_token="</s>",
    stops=("</s>",),
    system="{{ content }}",
    user="<reserved_106>{{ content }}",
    answer_prefix="<reserved_107>",
)
