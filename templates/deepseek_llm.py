"""DeepSeek LLM: User and Assistant as plain text, a bare system prompt.

Source: the chat template of deepseek-ai/deepseek-llm-7b-chat
(https://huggingface.co/deepseek-ai/deepseek-llm-7b-chat).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    bos_token="<｜begin▁of▁sentence｜>",
    eos_token="<｜end▁of▁sentence｜>",
    stops=("<｜end▁of▁sentence｜>",),
    begin="{{ bos_token }}",
    system="{{ content }}\n\n",
    user="User: {{ content }}\n\n",
    answer_prefix="Assistant:",
    answer=" {{ content }}",
    answer_end="{{ eos_token }}",
)
