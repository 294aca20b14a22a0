"""DeepSeek Coder: Instruction and Response after a system prompt of its own.

Source: the chat template of deepseek-ai/deepseek-coder-6.7b-instruct
(https://huggingface.co/deepseek-ai/deepseek-coder-6.7b-instruct).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("<|EOT|>",),
    bos_token="<｜begin▁of▁sentence｜>",
    stops=("<|EOT|>",),
    begin="{{ bos_token }}",
    system="{{ content }}",
    default_system=(
        "You are an AI programming assistant, utilizing the Deepseek Coder model, developed by "
        "Deepseek Company, and you only answer questions related to computer science. For "
        "politically sensitive questions, security and privacy issues, and other non-computer "
        "science questions, you will refuse to answer\n"
    ),
    user="### Instruction:\n{{ content }}\n",
    answer_prefix="### Response:\n",
    answer="{{ content }}\n",
    answer_end="<|EOT|>",
    answer_suffix="\n",
)
