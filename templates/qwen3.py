"""Qwen3: ChatML with Hermes tools and thoughts, which turns before the last question lose.

Source: the chat template of Qwen/Qwen3-0.6B (https://huggingface.co/Qwen/Qwen3-0.6B).
"""

from luthier.core.templates import Thinking
from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.shared.hermes import HERMES

TEMPLATE = CHATML.derived(
    thinking=Thinking(kept="after-question"),
    answer=(
        "{% if loop.index0 > last_question and (loop.last or thinking) %}"
        "<think>\n{{ thinking.strip('\n') }}\n</think>\n\n{{ content.lstrip('\n') }}"
        "{% else %}{{ content }}{% endif %}"
    ),
    prompt=(
        "<|im_start|>assistant\n"
        "{% if enable_thinking is defined and not enable_thinking %}"
        "<think>\n\n</think>\n\n{% endif %}"
    ),
    options={"enable_thinking": None},
    tools=HERMES,
)
