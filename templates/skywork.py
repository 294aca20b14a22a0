"""Skywork: [USER] and [BOT] around a question.

Source: the prompt code of Skywork/Skywork-13B-Chat
(https://huggingface.co/Skywork/Skywork-13B-Chat).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("[USER]", "[BOT]", "[SEP]"),
    bos_token="<s>",
    eos_token="</s>",
    stops=("[SEP]", "</s>"),
    begin="{{ eos_token }}{{ bos_token }}",
    user="[USER]{{ content }}[SEP]",
    answer_prefix="[BOT]",
    answer_end="[SEP]",
)
