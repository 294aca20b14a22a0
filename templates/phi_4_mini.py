"""Phi-4-mini: the role tokens of Phi-3 without line ends, and the EOS token at the very end.

Source: the chat template of microsoft/Phi-4-mini-instruct
(https://huggingface.co/microsoft/Phi-4-mini-instruct). Tools stand in the system message, as its
key `tools`; those that are given apart the authors leave out, and calls too: they are written here
as the model writes them.
"""

from luthier.core.templates import ToolStyle
from luthier.templates.phi_3 import TEMPLATE as PHI_3

TEMPLATE = PHI_3.derived(
    special_tokens=(
        *PHI_3.special_tokens,
        "<|tool|>",
        "<|/tool|>",
        "<|tool_call|>",
        "<|/tool_call|>",
    ),
    system=(
        "{% set told = message or messages[0] %}{% if told['role'] == 'system' %}"
        "<|system|>{{ content }}{% if told['tools'] %}<|tool|>{{ told['tools'] }}<|/tool|>"
        "{% endif %}<|end|>{% endif %}"
    ),
    tools=ToolStyle(
        definitions="{{ content }}",
        calls=(
            "<|tool_call|>[{% for call in calls %}{% if not loop.first %}, {% endif %}"
            '{"name": "{{ call.function.name }}", '
            '"arguments": {{ call.function.arguments | tojson }}}{% endfor %}]<|/tool_call|>'
        ),
        result="<|tool|>{{ content }}<|end|>",
        open="<|tool_call|>",
        close="<|/tool_call|>",
    ),
    user="<|user|>{{ content }}<|end|>",
    answer_prefix="<|assistant|>",
    answer_suffix="",
)
