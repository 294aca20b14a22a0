"""Qwen3.5: contents stripped, thoughts that the prompt opens, parameters between XML-like tags.

Source: the chat template of Qwen/Qwen3.5-4B (https://huggingface.co/Qwen/Qwen3.5-4B).
"""

from luthier.core.templates import Thinking
from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.shared.hermes import HERMES
from luthier.templates.shared.xml_tools import FORMAT, OBJECT_OR_LIST, XmlTools, calls

TOOLS = XmlTools(
    definitions=(
        "# Tools\n\nYou have access to the following functions:\n\n<tools>"
        "{% for tool in tools %}\n{{ tool | tojson }}{% endfor %}\n</tools>"
        + FORMAT
        + "{% if content %}\n\n{{ content }}{% endif %}"
    ),
    calls=calls(OBJECT_OR_LIST),
    result=HERMES.result,
)


def prefix(thinks: str) -> str:
    """Return what stands before an answer, which thinks where a test holds."""
    # the prompt holds empty thoughts where none are asked for, so they are not the answer's either
    return (
        f"<|im_start|>assistant\n{{% set thinks = {thinks} %}}"
        "{% if thinks and enable_thinking is false and not thinking.strip() %}"
        "<think>\n\n</think>\n\n{% set thinks = false %}"
        "{% elif thinks %}<think>\n{% endif %}"
    )


TEMPLATE = CHATML.derived(
    begin=(
        "{% if not messages | selectattr('role', 'equalto', 'user') | list %}"
        "{{ raise_exception('this model answers users; give it a user message') }}{% endif %}"
    ),
    system=(
        "{% if loop is defined %}"
        "{{ raise_exception('a system message is the first message here') }}{% endif %}"
        "<|im_start|>system\n{{ content }}<|im_end|>\n"
    ),
    thinking=Thinking(prompted=True, kept="after-question"),
    answer_prefix=prefix("loop.index0 > last_question"),
    answer=("{% if thinks %}{{ thinking | trim }}\n</think>\n\n{% endif %}{{ content }}"),
    prompt=(
        "<|im_start|>assistant\n<think>\n{% if enable_thinking is false %}\n</think>\n\n{% endif %}"
    ),
    strip=frozenset({"system", "user", "assistant", "tool"}),
    options={"enable_thinking": None},
    tools=TOOLS,
)
