"""EXAONE 3.5: role tags, a system turn that may be empty.

Source: the chat template of LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct
(https://huggingface.co/LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("[|system|]", "[|user|]", "[|assistant|]", "[|endofturn|]"),
    stops=("[|endofturn|]",),
    system="[|system|]{{ content }}[|endofturn|]\n",
    default_system="",
    user="[|user|]{{ content }}\n",
    answer_prefix="[|assistant|]",
    answer_end="[|endofturn|]",
    answer_suffix="\n",
)
