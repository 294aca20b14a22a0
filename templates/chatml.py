"""ChatML: the format of <|im_start|> and <|im_end|>.

Source: OpenAI's description of ChatML, version 0
(https://github.com/openai/openai-python/blob/release-v0.28.1/chatml.md).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("<|im_start|>", "<|im_end|>"),
    stops=("<|im_end|>",),
    system="<|im_start|>system\n{{ content }}<|im_end|>\n",
    user="<|im_start|>user\n{{ content }}<|im_end|>\n",
    answer_prefix="<|im_start|>assistant\n",
    answer_end="<|im_end|>",
    answer_suffix="\n",
)
