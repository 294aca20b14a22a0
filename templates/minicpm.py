"""MiniCPM: a tag before each turn, contents stripped, no token after an answer.

Source: the chat template of openbmb/MiniCPM-2B-sft-bf16
(https://huggingface.co/openbmb/MiniCPM-2B-sft-bf16).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    eos_token="</s>",
    stops=("</s>",),
    system="{{ content }}",
    # a question ends in the prompt, whether or not an answer is asked for
    user="<用户>{{ content }}<AI>",
    strip=frozenset({"system", "user", "assistant"}),
)
