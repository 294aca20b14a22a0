"""DeepSeek V2.5: DeepSeek V3 with white space before the BOS token where there is a system prompt.

Source: the chat template of deepseek-ai/DeepSeek-V2.5
(https://huggingface.co/deepseek-ai/DeepSeek-V2.5).
"""

from luthier.templates.deepseek_v3 import TEMPLATE as DEEPSEEK_V3

TEMPLATE = DEEPSEEK_V3.derived(
    # the indentation of the authors' loop over the messages
    begin=(
        "{% for message in messages if message['role'] == 'system' %}        {% endfor %}"
        + DEEPSEEK_V3.begin
    ),
)
