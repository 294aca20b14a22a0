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
    tools=None,
    # a separator stands before the last answer, and line marks between all that comes earlier
    user="{{ content }}{% if loop.revindex0 <= 1 %}<sep>{% else %}<n>{% endif %}",
    answer_suffix="{% if not loop.last %}<n>{% endif %}",
)
