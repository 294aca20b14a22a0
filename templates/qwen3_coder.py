"""Qwen3 Coder: ChatML with calls in XML and a system prompt of its own only with tools.

Source: the chat template of Qwen/Qwen3-Coder-30B-A3B-Instruct
(https://huggingface.co/Qwen/Qwen3-Coder-30B-A3B-Instruct).
"""

from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.shared.xml_tools import FORMAT, OBJECT, RESULT, XmlTools, calls, listed

TEMPLATE = CHATML.derived(
    answer="{{ content.strip() if message['tool_calls'] else content }}",
    tools=XmlTools(
        definitions=(
            "{% if messages[0]['role'] == 'system' %}{{ content }}{% else %}"
            "You are Qwen, a helpful AI assistant that can interact with a computer to solve tasks."
            "{% endif %}\n\nYou have access to the following functions:\n\n"
            + listed(OBJECT)
            + FORMAT
        ),
        calls=calls(OBJECT),
        result=RESULT,
    ),
)
