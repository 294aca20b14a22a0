"""InternLM2: ChatML after a BOS token, the tools in a system message named <|plugin|>.

Source: the chat format of InternLM2
(https://github.com/InternLM/InternLM/blob/main/chat/chat_format.md), and the chat template of
internlm/internlm2-chat-7b (https://huggingface.co/internlm/internlm2-chat-7b).
"""

from luthier.core.templates import ToolStyle
from luthier.templates.chatml import TEMPLATE as CHATML

TOOLS = ToolStyle(
    # the system message of the tools follows that of the user, where there is one
    definitions=(
        "{% if system is not none %}{{ content }}<|im_end|>\n<|im_start|>system{% endif %}"
        " name=<|plugin|>\n[{% for tool in tools %}{% if not loop.first %}, {% endif %}"
        "{{ (tool.function or tool) | tojson }}{% endfor %}]"
    ),
    calls=(
        "{% for call in calls %}<|action_start|><|plugin|>\n"
        '{"name": {{ call.function.name | tojson }}, '
        '"arguments": {{ call.function.arguments | tojson }}}<|action_end|>{% endfor %}'
    ),
    result="<|im_start|>environment\n{{ content }}<|im_end|>\n",
    open="<|action_start|><|plugin|>",
    close="<|action_end|>",
)

TEMPLATE = CHATML.derived(
    special_tokens=(
        "<|im_start|>", "<|im_end|>", "<|action_start|>", "<|action_end|>", "<|plugin|>",
    ),
    bos_token="<s>",
    stops=("<|im_end|>", "</s>"),
    # the code that tells of tools leaves BOS to the tokenizer
    begin="{% if not tools %}{{ bos_token }}{% endif %}",
    system=(
        "<|im_start|>system{% if not tools or system is not none %}\n{% endif %}"
        "{{ content }}<|im_end|>\n"
    ),
    tools=TOOLS,
)  # fmt: skip
