"""Moonlight: role tokens around the name of the role.

Source: the chat template of moonshotai/Moonlight-16B-A3B-Instruct
(https://huggingface.co/moonshotai/Moonlight-16B-A3B-Instruct).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=(
        "<|im_system|>",
        "<|im_user|>",
        "<|im_assistant|>",
        "<|im_middle|>",
        "<|im_end|>",
    ),
    stops=("<|im_end|>",),
    system="<|im_system|>system<|im_middle|>{{ content }}<|im_end|>",
    default_system="You are a helpful assistant",
    user="<|im_user|>user<|im_middle|>{{ content }}<|im_end|>",
    answer_prefix="<|im_assistant|>assistant<|im_middle|>",
    answer_end="<|im_end|>",
)
