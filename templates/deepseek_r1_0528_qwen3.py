"""DeepSeek R1 0528 Qwen3: DeepSeek R1 whose model opens its thoughts itself.

Source: the chat template of deepseek-ai/DeepSeek-R1-0528-Qwen3-8B
(https://huggingface.co/deepseek-ai/DeepSeek-R1-0528-Qwen3-8B).
"""

from luthier.core.templates import Thinking
from luthier.templates.deepseek_v3_0324 import TEMPLATE as DEEPSEEK_V3_0324

TEMPLATE = DEEPSEEK_V3_0324.derived(
    thinking=Thinking(kept="none"),
    answer="{{ (message['content'] or '').split('</think>')[-1] }}",
)
