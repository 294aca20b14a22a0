"""Llama 3: headers around the role, contents without white space at their ends.

Source: the chat template of meta-llama/Meta-Llama-3-8B-Instruct
(https://huggingface.co/meta-llama/Meta-Llama-3-8B-Instruct).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    special_tokens=(
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
        "<|end_of_text|>",
    ),
    bos_token="<|begin_of_text|>",
    eos_token="<|eot_id|>",
    stops=("<|eot_id|>", "<|end_of_text|>"),
    begin="{{ bos_token }}",
    system="<|start_header_id|>system<|end_header_id|>\n\n{{ content }}<|eot_id|>",
    user="<|start_header_id|>user<|end_header_id|>\n\n{{ content }}<|eot_id|>",
    answer_prefix="<|start_header_id|>assistant<|end_header_id|>\n\n",
    answer_end="<|eot_id|>",
    strip=frozenset({"system", "user", "assistant"}),
)
