"""OLMo: role tags as plain text; a system message is left out.

Source: the chat template of allenai/OLMo-7B-Instruct
(https://huggingface.co/allenai/OLMo-7B-Instruct).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    eos_token="<|endoftext|>",
    stops=("<|endoftext|>",),
    begin="{{ eos_token }}",
    refuses_system=False,
    user="<|user|>\n{{ content }}\n",
    answer_prefix="<|assistant|>\n",
    answer_end="{{ eos_token }}",
    answer_suffix="\n",
)
