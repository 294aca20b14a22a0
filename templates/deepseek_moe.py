"""DeepSeek MoE: the format of DeepSeek LLM with carriage returns and no BOS.

Source: the chat template that stands in the tokenizer of deepseek-ai/deepseek-moe-16b-chat
(https://huggingface.co/deepseek-ai/deepseek-moe-16b-chat).
"""

from luthier.templates.deepseek_llm import TEMPLATE as DEEPSEEK_LLM

TEMPLATE = DEEPSEEK_LLM.derived(
    begin="",
    system="{{ content }}\r\n\r\n",
    user="User: {{ content }}\r\n\r\n",
    prompt="Assistant:\r",
)
