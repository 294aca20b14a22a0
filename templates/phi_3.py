"""Phi-3: role tokens, and the EOS token at the very end.

Source: the chat template of microsoft/Phi-3-mini-4k-instruct
(https://huggingface.co/microsoft/Phi-3-mini-4k-instruct).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
    eos_token="<|endoftext|>",
    stops=("<|end|>", "<|endoftext|>"),
    system="<|system|>\n{{ content }}<|end|>\n",
    user="<|user|>\n{{ content }}<|end|>\n",
    answer_prefix="<|assistant|>\n",
    answer_end="<|end|>",
    answer_suffix="\n",
    finish="{{ eos_token }}",
)
