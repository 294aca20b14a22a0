"""DeepSeek V3: its form of March 2025, but one call alone is not closed.

Source: the chat template of deepseek-ai/DeepSeek-V3 (https://huggingface.co/deepseek-ai/DeepSeek-V3).
"""

from luthier.templates.deepseek_v3_0324 import TEMPLATE as DEEPSEEK_V3_0324
from luthier.templates.shared.deepseek import FENCED_OPEN, OPEN_END

TEMPLATE = DEEPSEEK_V3_0324.derived(tools=FENCED_OPEN, answer_end=OPEN_END, finish="")
