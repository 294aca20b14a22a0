"""Qwen2: ChatML with a system prompt of its own.

Source: the chat template of Qwen/Qwen2-7B-Instruct
(https://huggingface.co/Qwen/Qwen2-7B-Instruct).
"""

from luthier.templates.chatml import TEMPLATE as CHATML

TEMPLATE = CHATML.derived(
    default_system="You are a helpful assistant.",
)
