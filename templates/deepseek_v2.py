"""DeepSeek V2: the format of DeepSeek LLM.

Source: the chat template of deepseek-ai/DeepSeek-V2-Lite-Chat
(https://huggingface.co/deepseek-ai/DeepSeek-V2-Lite-Chat).
"""

from luthier.templates.deepseek_llm import TEMPLATE as DEEPSEEK_LLM

TEMPLATE = DEEPSEEK_LLM.derived()
