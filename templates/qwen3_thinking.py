"""Qwen3 Thinking 2507: Qwen3 whose prompt opens the thoughts.

Source: the chat template of Qwen/Qwen3-30B-A3B-Thinking-2507
(https://huggingface.co/Qwen/Qwen3-30B-A3B-Thinking-2507).
"""

from luthier.core.templates import Thinking
from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.shared.hermes import HERMES

_THINKS = "loop.index0 > last_question and (loop.last or thinking)"

TEMPLATE = CHATML.derived(
    thinking=Thinking(prompted=True, kept="after-question"),
    answer_prefix=f"<|im_start|>assistant\n{{% if {_THINKS} %}}<think>\n{{% endif %}}",
    answer=(
        f"{{% if {_THINKS} %}}"
        "{{ thinking.strip('\n') }}\n</think>\n\n{{ content.lstrip('\n') }}"
        "{% else %}{{ content }}{% endif %}"
    ),
    prompt="<|im_start|>assistant\n<think>\n",
    tools=HERMES,
)
