"""Qwen1.5: ChatML with a system prompt of its own.

Source: the chat template of Qwen/Qwen1.5-4B-Chat
(https://huggingface.co/Qwen/Qwen1.5-4B-Chat).
"""

from luthier.templates.chatml import TEMPLATE as CHATML

TEMPLATE = CHATML.derived(
    default_system="You are a helpful assistant.",
)
