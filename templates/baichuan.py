"""Baichuan: reserved tokens before each turn, a bare system prompt.

Source: the prompt code of baichuan-inc/Baichuan-13B-Chat
(https://huggingface.co/baichuan-inc/Baichuan-13B-Chat).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("<reserved_102>", "<reserved_103>"),
    eos_token="</s>",
    stops=("</s>",),
    system="{{ content }}",
    user="<reserved_102>{{ content }}",
    answer_prefix="<reserved_103>",
    answer_end="{{ eos_token }}",
)
