"""Hunyuan-Large: a bare question and answer with a token after each.

Source: the chat template of tencent/Tencent-Hunyuan-Large
(https://huggingface.co/tencent/Tencent-Hunyuan-Large).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("<|extra_0|>", "<|extra_4|>", "<|eos|>"),
    bos_token="<|startoftext|>",
    stops=("<|eos|>",),
    refuses_system=False,
    user=(
        "{{ bos_token }}{% if loop.first and system is not none %}{{ system }}"
        "<|extra_4|>{% endif %}{{ content }}<|extra_0|>"
    ),
    answer_end="<|eos|>",
)
