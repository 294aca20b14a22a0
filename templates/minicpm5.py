"""MiniCPM5: ChatML after a BOS token, thoughts, and tools called by XML with attributes.

Source: the chat template of openbmb/MiniCPM5-1B (https://huggingface.co/openbmb/MiniCPM5-1B).
"""

import re

from luthier.core.templates import Thinking, ToolCall, ToolStyle
from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.shared.hermes import HERMES
from luthier.templates.shared.xml_tools import value_of


class _Calls(ToolStyle):
    """Calls that are XML elements, their texts in CDATA blocks where they have to be."""

    open: str = '<function name="'
    close: str = "</function>"

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the call in what stands between `open` and `close`."""
        name, _, rest = body.partition('"')
        if not name or not rest.lstrip().startswith(">"):
            return None
        parameters = re.findall(
            r'<param name="([^"]+)">(?:<!\[CDATA\[(.*?)\]\]>|(.*?))(?:</param>|\Z)', rest, re.DOTALL
        )
        return [ToolCall(name, {key: quoted or value_of(bare) for key, quoted, bare in parameters})]


_CALLS = _Calls(
    # a system prompt may say where in it the tools are told
    definitions=(
        "{% set told %}# Tools\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
        "{% for tool in tools %}\n{{ tool | tojson }}{% endfor %}\n</tools>\n\n"
        "Tool usage guidelines:\n"
        "- You may call zero or more functions. If no function calls are needed, just answer "
        "normally and do not include any <function ... </function>.\n"
        "- When calling a function, return an XML object within <function ... </function> using:\n"
        '<function name="function-name"><param name="param-name">param-value</param></function>\n'
        "- param-value may be multi-line. If it contains <, & or newline characters, wrap it in a "
        'CDATA block: <param name="param-name"><![CDATA[...multi-line value...]]></param>'
        "{% endset %}"
        "{% if '<tool_def_sep>' in content %}{% for part in content.split('<tool_def_sep>') %}"
        "{% if not loop.first %}{{ told }}{% endif %}{{ part }}{% endfor %}"
        "{% else %}{% if messages[0]['role'] == 'system' %}{{ content }}\n\n{% endif %}{{ told }}"
        "{% endif %}"
    ),
    calls=(
        "{% for call in calls %}{% if content or not loop.first %}\n{% endif %}"
        '<function name="{{ call.function.name }}">'
        "{% for name, value in (call.function.arguments or {}).items() %}"
        '<param name="{{ name }}">'
        "{% if value is string and ('<' in value or '&' in value or '\n' in value) %}"
        "<![CDATA[{{ value }}]]>{% else %}{{ value }}{% endif %}</param>{% endfor %}</function>"
        "{% endfor %}"
    ),
    result=HERMES.result,
)

_THINKS = "loop.index0 > last_question and thinking"

TEMPLATE = CHATML.derived(
    bos_token="<s>",
    begin="{{ bos_token }}",
    thinking=Thinking(kept="after-question"),
    # the prompt opens the thoughts where they are asked for
    answer_prefix=(
        "<|im_start|>assistant\n"
        f"{{% if {_THINKS} and enable_thinking is true %}}<think>\n{{% endif %}}"
    ),
    answer=(
        # the authors leave out what follows this mark in an answer with calls
        "{% if message['tool_calls'] %}"
        "{% set content = content.split('<tool_sep>')[0] %}{% endif %}"
        f"{{% if {_THINKS} %}}{{% if enable_thinking is not true %}}<think>\n{{% endif %}}"
        "{{ thinking.strip('\n') }}\n</think>\n\n{{ content.lstrip('\n') }}"
        "{% else %}{{ content }}{% endif %}"
    ),
    prompt=(
        "<|im_start|>assistant\n{% if enable_thinking is true %}<think>\n"
        "{% elif enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
    ),
    options={"enable_thinking": None},
    tools=_CALLS,
)
