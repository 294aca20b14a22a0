"""Qwen3.6: Qwen3.5 that may keep all thoughts, and writes all arguments but texts as JSON.

Source: the chat template of Qwen/Qwen3.6-35B-A3B (https://huggingface.co/Qwen/Qwen3.6-35B-A3B).
"""

from luthier.templates.qwen3_5 import TEMPLATE as QWEN3_5
from luthier.templates.qwen3_5 import TOOLS, prefix
from luthier.templates.shared.xml_tools import NO_TEXT, calls

TEMPLATE = QWEN3_5.derived(
    answer_prefix=prefix("loop.index0 > last_question or preserve_thinking is true"),
    options={"enable_thinking": None, "preserve_thinking": None},
    tools=TOOLS.model_copy(update={"calls": calls(NO_TEXT)}),
)
