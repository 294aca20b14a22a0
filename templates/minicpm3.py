"""MiniCPM3: ChatML, tools told as Python functions and called in a block of code.

Source: the chat template of openbmb/MiniCPM3-4B (https://huggingface.co/openbmb/MiniCPM3-4B). It
has the thoughts of an answer as its key `thought`; those in OpenAI's form are written likewise.
"""

import re

from luthier.core.templates import Thinking, ToolCall
from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.shared.pythonic import Pythonic


class _Calls(Pythonic):
    """Calls on lines of their own in a block of code, before the text of the answer."""

    open: str = "<|tool_call_start|>"
    close: str = "<|tool_call_end|>\n"

    def read(self, body: str) -> list[ToolCall] | None:
        """Return the calls in a block of code."""
        code = body.partition("<|tool_call_end|>")[0].strip().strip("`")
        return super().read(re.sub(r"\A[^(=]*\n|\Apython", "", code).strip().strip("`"))


# `typed` prints a type, `classes` the classes that a schema needs, `fields` its fields; a type that
# is left open is an empty union, as the authors have it
_PYTHON = (
    "{% macro typed(name, spec) %}"
    "{% set basic = {'string': 'str', 'number': 'float', 'integer': 'int', 'boolean': 'bool',"
    " 'null': 'None'} %}"
    "{% if spec.enum %}{{ name | title }}"
    "{% elif spec.type is string and spec.type in basic %}{{ basic[spec.type] }}"
    "{% elif spec.type == 'array' %}List[{{ typed(name, spec['items']) }}]"
    "{% elif spec.type == 'object' and spec.properties %}{{ name | title }}"
    "{% elif spec.type == 'object' %}"
    "Dict[str, {{ typed(name, spec.additionalProperties or {}) }}]"
    "{% elif spec.type is none or spec.type is string %}Any"
    "{% else %}Union[{% for type in spec.type or [] %}{% if not loop.first %}, {% endif %}"
    "{{ typed(name, {'type': type}) }}{% endfor %}]{% endif %}{% endmacro %}"
    "{% macro default(spec) %}{% if spec.default is string %}{{ spec.default | tojson }}"
    "{% elif spec.default is defined %}{{ spec.default }}{% else %}None{% endif %}{% endmacro %}"
    "{% macro fields(schema, indent) %}"
    "{% for name, spec in ((schema or {}).properties or {}).items() %}"
    "{% set required = name in (schema.required or []) %}{{ indent }}{{ name }}: "
    "{% if required %}{{ typed(name, spec) }}{% else %}Optional[{{ typed(name, spec) }}]{% endif %}"
    "{% if spec.title or spec.description or spec.pattern %}"
    " = Field({% if required %}...{% else %}{{ default(spec) }}{% endif %}"
    "{% if spec.description %}, description={{ spec.description | tojson }}{% endif %}"
    "{% if spec.pattern %}, regex={{ spec.pattern | tojson }}{% endif %}"
    "{% if spec.title %}, title={{ spec.title | tojson }}{% endif %})"
    "{% elif not required %} = {{ default(spec) }}{% endif %}\n{% endfor %}{% endmacro %}"
    "{% macro classes(schema) %}"
    "{% for name, spec in ((schema or {}).properties or {}).items() %}"
    "{% set item = spec['items'] if spec.type == 'array' else spec %}"
    "{% if spec.enum %}\n\nclass {{ name | title }}(Enum):\n"
    "{% for option in spec.enum %}    enum_{{ loop.index0 }} = {{ option | tojson }}\n{% endfor %}"
    "{% elif item.type == 'object' and item.properties %}{{ classes(item) }}"
    "\n\nclass {{ name | title }}(BaseModel):\n{{ fields(item, '    ') }}{% endif %}"
    "{% endfor %}{% endmacro %}"
)

_TOOLS = (
    "{{ content }}\n# Functions\nHere is a list of functions that you can invoke:\n```python\n"
    "from enum import Enum\nfrom typing import List, Dict, Optional\n"
    "from pydantic import BaseModel, Field\n\n"
    "{% for tool in tools if tool.type is not defined or tool.type == 'function' %}"
    "{% set tool = tool.function or tool %}{% set schema = tool.parameters or {} %}"
    "{{ classes(schema) }}\n\ndef {{ tool.name }}("
    "{% for name, spec in (schema.properties or {}).items() %}"
    "{% if not loop.first %}, {% endif %}{{ name }}"
    "{% if name not in (schema.required or []) %}={{ default(spec) }}{% endif %}{% endfor %}"
    '):\n    """{{ tool.description }}{% if schema %}\n\n    Args:{% endif %}\n'
    "{{ fields(schema, '        ') }}"
    '    """\n{% endfor %}\n```\n\n'
    "# Function Call Rule and Output Format\n"
    "- If the user's question can be answered without calling any function, please answer the "
    "user's question directly. In this situation, you should return your thought and answer the "
    "user's question directly.\n"
    "- If the user cannot be answered without calling any function, and the user does not provide "
    "enough information to call functions, please ask the user for more information. In this "
    "situation, you should return your thought and ask the user for more information.\n"
    "- If the user's question cannot be answered without calling any function, and the user has "
    "provided enough information to call functions to solve it, you should call the functions. In "
    "this situation, the assistant should return your thought and call the functions.\n"
    "- Use default parameters unless the user has specified otherwise.\n"
    "- You should answer in the following format:\n\n"
    "<|thought_start|>\n"
    "{explain why the user's question can be answered without calling a function or why you should "
    "ask the user for more information or why you should call one or more functions and your plan "
    "to solve the user's question.}\n"
    "<|thought_end|>\n<|tool_call_start|>\n```python\n"
    "func1(params_name=params_value, params_name2=params_value2...)\nfunc2(params)\n```\n"
    "<|tool_call_end|>\n{answer the user's question directly or ask the user for more information}"
)

TEMPLATE = CHATML.derived(
    stops=("<|im_end|>", "</s>"),
    begin=_PYTHON,
    system=(
        "{% if content or loop is defined %}"
        "<|im_start|>system\n{{ content }}<|im_end|>\n{% endif %}"
    ),
    thinking=Thinking(open="<|thought_start|>", close="<|thought_end|>", kept="all"),
    # thoughts that stand in a content stay there, before the calls or after them
    answer=(
        "{% set said = message['content'] or '' %}"
        "{% set thoughts = message['thought'] or message['reasoning_content'] %}"
        "{% if thoughts %}<|thought_start|>\n{{ thoughts }}\n<|thought_end|>\n{% endif %}"
        "{% if message['tool_calls'] %}<|tool_call_start|>\n```python\n"
        "{% for call in message['tool_calls'] %}{{ call.function.name }}("
        "{% for name, value in (call.function.arguments or {}).items() %}"
        "{{ name }}={{ value | tojson }}{% if not loop.last %},{% endif %}{% endfor %})\n"
        "{% endfor %}```\n<|tool_call_end|>\n"
        "{% if said.startswith('<|tool_call_start|>') %}{% set said = '' %}{% endif %}{% endif %}"
        "{{ said }}"
    ),
    tools=_Calls(definitions=_TOOLS, result="<|im_start|>tool\n{{ content }}<|im_end|>\n"),
)
