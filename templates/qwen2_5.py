"""Qwen2.5: ChatML with a system prompt of its own and Hermes tools.

Source: the chat template of Qwen/Qwen2.5-7B-Instruct (https://huggingface.co/Qwen/Qwen2.5-7B-Instruct).
"""

from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.shared.hermes import HERMES

TEMPLATE = CHATML.derived(
    default_system="You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    tools=HERMES,
)
