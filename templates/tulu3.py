"""Tulu 3: roles as plain text, answers that end with EOS, and no BOS.

Source: the chat template of allenai/Llama-3.1-Tulu-3-8B
(https://huggingface.co/allenai/Llama-3.1-Tulu-3-8B).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    eos_token="<|end_of_text|>",
    stops=("<|end_of_text|>",),
    system="<|system|>\n{{ content }}\n",
    user="<|user|>\n{{ content }}\n",
    answer_prefix="<|assistant|>\n",
    answer_end="{{ eos_token }}",
    answer_suffix="{% if not loop.last %}\n{% endif %}",
)
