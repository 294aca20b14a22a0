"""DeepSeek V3: its form of March 2025, but the first call is not closed.

Source: the chat template of deepseek-ai/DeepSeek-V3 (https://huggingface.co/deepseek-ai/DeepSeek-V3).
"""

from luthier.templates.deepseek_v3_0324 import TEMPLATE as DEEPSEEK_V3_0324
from luthier.templates.shared.deepseek import FENCED_OPEN, ONCE_PREFIX, OPEN_END, ROWS

TEMPLATE = DEEPSEEK_V3_0324.derived(
    begin="{{ bos_token }}" + ROWS,
    answer_prefix=ONCE_PREFIX,
    answer_end=OPEN_END,
    finish="",
    tools=FENCED_OPEN,
)
