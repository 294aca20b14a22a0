"""OpenChat 3.6: the headers of Llama 3 with roles of its own.

Source: the chat template of openchat/openchat-3.6-8b-20240522
(https://huggingface.co/openchat/openchat-3.6-8b-20240522).
"""

from luthier.templates.llama3 import TEMPLATE as LLAMA3

TEMPLATE = LLAMA3.derived(
    system="<|start_header_id|>System<|end_header_id|>\n\n{{ content }}<|eot_id|>",
    user="<|start_header_id|>GPT4 Correct User<|end_header_id|>\n\n{{ content }}<|eot_id|>",
    answer_prefix="<|start_header_id|>GPT4 Correct Assistant<|end_header_id|>\n\n",
)
