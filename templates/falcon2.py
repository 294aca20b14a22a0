"""Falcon 2: the roles of Falcon 180B, contents on lines of their own.

Source: the chat template of tiiuae/falcon-11B
(https://huggingface.co/tiiuae/falcon-11B).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    eos_token="<|endoftext|>",
    stops=("<|endoftext|>",),
    system="System: {{ content }}\n",
    user="User: \n{{ content }}\n",
    answer_prefix="Falcon:\n",
    answer_suffix="\n",
)
