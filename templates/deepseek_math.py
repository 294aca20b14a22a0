"""DeepSeek Math: the format of DeepSeek LLM.

Source: the chat template of deepseek-ai/deepseek-math-7b-rl
(https://huggingface.co/deepseek-ai/deepseek-math-7b-rl).
"""

from luthier.templates.deepseek_llm import TEMPLATE as DEEPSEEK_LLM

TEMPLATE = DEEPSEEK_LLM.derived()
