"""StarCoder2-Instruct: Instruction and Response, no system message, and always the prompt.

Source: the chat template of bigcode/starcoder2-15b-instruct-v0.1
(https://huggingface.co/bigcode/starcoder2-15b-instruct-v0.1).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    bos_token="<|endoftext|>",
    eos_token="<|endoftext|>",
    stops=("<|endoftext|>",),
    begin=(
        "{{ bos_token }}You are an exceptionally intelligent coding assistant that "
        "consistently delivers accurate and reliable responses to user instructions.\n\n"
    ),
    user="### Instruction\n{{ content }}\n\n",
    answer_prefix="### Response\n",
    answer_end="{{ eos_token }}",
    answer_suffix="\n\n",
    finish="### Response\n",
)
