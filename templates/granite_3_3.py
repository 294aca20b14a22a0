"""Granite 3.3: Granite 3.2 with <think> and <response>, and tools under another role.

Source: the chat template of ibm-granite/granite-3.3-2b-instruct
(https://huggingface.co/ibm-granite/granite-3.3-2b-instruct).
"""

from luthier.core.templates import Thinking
from luthier.templates.granite_3_2 import TEMPLATE as GRANITE_3_2
from luthier.templates.shared.granite import NAMED, opening

TEMPLATE = GRANITE_3_2.derived(
    system=opening(
        tools=(
            " You are a helpful assistant with access to the following tools. When a tool is "
            "required to answer the user's query, respond only with"
        ),
        between="\n",
        role="available_tools",
        documents=NAMED,
        thoughts=(
            "between <think></think> and write your response between <response></response> "
            "for each user query."
        ),
    ),
    thinking=Thinking(kept="none"),
)
