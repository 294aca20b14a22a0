"""Phi-4: ChatML with a token of its own after the role, and no line ends.

Source: the chat template of microsoft/phi-4
(https://huggingface.co/microsoft/phi-4).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("<|im_start|>", "<|im_sep|>", "<|im_end|>"),
    stops=("<|im_end|>",),
    system="<|im_start|>system<|im_sep|>{{ content }}<|im_end|>",
    user="<|im_start|>user<|im_sep|>{{ content }}<|im_end|>",
    answer_prefix="<|im_start|>assistant<|im_sep|>",
    answer_end="<|im_end|>",
)
