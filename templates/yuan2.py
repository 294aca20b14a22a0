"""Yuan 2: turns with a separator between them.

Source: the prompt code of IEITYuan/Yuan2-2B-hf
(https://huggingface.co/IEITYuan/Yuan2-2B-hf).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("<n>", "<sep>"),
    eos_token="<eod>",
    stops=("<eod>",),
    alternate=True,
    user="{{ content }}{% if loop.last %}<sep>{% else %}<n>{% endif %}",
)
