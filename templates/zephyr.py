"""Zephyr: role tags as plain text, every turn ended by the EOS token.

Source: the chat template of HuggingFaceH4/zephyr-7b-beta
(https://huggingface.co/HuggingFaceH4/zephyr-7b-beta).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    eos_token="</s>",
    stops=("</s>",),
    system="<|system|>\n{{ content }}{{ eos_token }}\n",
    user="<|user|>\n{{ content }}{{ eos_token }}\n",
    answer_prefix="<|assistant|>\n",
    answer_end="{{ eos_token }}",
    answer_suffix="\n",
)
