"""Instruction and Response, after the preamble of Stanford Alpaca.

Source: the prompt of Stanford Alpaca (https://github.com/tatsu-lab/stanford_alpaca).
"""

from luthier.core.templates import ChatTemplate

TEMPLATE = ChatTemplate(
    eos_token="</s>",
    stops=("{{ eos_token }}",),
    system="{{ content }}\n\n",
    default_system=(
        "Below is an instruction that describes a task. "
        "Write a response that appropriately completes the request."
    ),
    user="### Instruction:\n{{ content }}\n\n",
    answer_prefix="### Response:\n",
    answer_end="{{ eos_token }}",
    answer_suffix="\n\n",
)
