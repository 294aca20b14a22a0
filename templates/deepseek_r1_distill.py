"""DeepSeek R1 Distill: DeepSeek R1, but the first call is not closed.

Source: the chat template of deepseek-ai/DeepSeek-R1-Distill-Llama-8B
(https://huggingface.co/deepseek-ai/DeepSeek-R1-Distill-Llama-8B).
"""

from luthier.templates.deepseek_r1 import TEMPLATE as DEEPSEEK_R1
from luthier.templates.shared.deepseek import FENCED_OPEN, OPEN_END

TEMPLATE = DEEPSEEK_R1.derived(tools=FENCED_OPEN, answer_end=OPEN_END)
