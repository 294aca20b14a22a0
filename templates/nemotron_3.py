"""Nemotron 3: ChatML with a system turn always, thoughts, and Qwen3 Coder's tools.

Source: the chat template of nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16
(https://huggingface.co/nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16).
"""

from luthier.core.templates import Thinking
from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.shared.xml_tools import (
    FORMAT,
    OBJECT_OR_LIST,
    RESULT,
    XmlTools,
    called,
    listed,
)

_TOOLS = XmlTools(
    definitions=(
        "{{ content }}{% if content %}\n\n{% endif %}"
        "# Tools\n\nYou have access to the following functions:\n\n"
        + listed(OBJECT_OR_LIST, before="enum", after="required")
        + FORMAT
    ),
    calls="\n{% for call in calls %}" + called(OBJECT_OR_LIST) + "\n{% endfor %}",
    result=RESULT,
    close="</tool_call>\n",
)

# the authors treat thoughts as a part of the content, and thoughts in a content stay as they are
_PREFIX = (
    "<|im_start|>assistant\n{% set said = message['content'] or '' %}"
    "{% if (message['reasoning_content'] or '').strip() %}"
    "{% set said = '<think>\n' + message['reasoning_content'] + '\n</think>\n' + said %}{% endif %}"
    "{% set opens, closes = '<think>' in said, '</think>' in said %}"
    "{% if loop.index0 > last_question or truncate_history_thinking is false %}"
    "{% set said = said if opens or closes else '<think></think>' + said %}"
    "{% elif message['tool_calls'] %}"
    "{% set said = said.split('</think>')[-1] if closes else said.split('<think>')[0] %}"
    "{% set said = '<think></think>' + said.strip() %}"
    "{% elif opens == closes %}"
    "{% set said = '<think></think>' + said.split('</think>')[-1] %}"
    "{% endif %}{% set said = said.strip() %}"
    # what a prompt of the one or the other kind ends with
    "{% if said.startswith('<think></think>') %}<think></think>{% set said = said[15:] %}"
    "{% elif said.startswith('<think>\n') %}<think>\n{% set said = said[8:] %}{% endif %}"
)

TEMPLATE = CHATML.derived(
    default_system="",
    thinking=Thinking(prompted=True, kept="after-question"),
    answer_prefix=_PREFIX,
    answer="{{ said }}",
    prompt=(
        "<|im_start|>assistant\n"
        "{% if enable_thinking is defined and not enable_thinking %}<think></think>"
        "{% else %}<think>\n{% endif %}"
    ),
    options={"enable_thinking": None, "truncate_history_thinking": None},
    tools=_TOOLS,
)
