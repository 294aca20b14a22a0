"""Seed-OSS: role names after BOS tokens, thoughts within a budget, and tools told of as Python.

Source: the chat template of ByteDance-Seed/Seed-OSS-36B-Instruct
(https://huggingface.co/ByteDance-Seed/Seed-OSS-36B-Instruct). `thinking_budget` is a number of
tokens: 0 for no thoughts, and without it they are as long as the model likes.
"""

from luthier.core.templates import ChatTemplate, Thinking
from luthier.templates.shared.xml_tools import XmlTools

_TYPES = (
    "{% set types = {'string': 'str', 'number': 'int', 'integer': 'int', 'boolean': 'bool', "
    "'array': 'list'} %}"
)


def _type(schema: str) -> str:
    """Return the Jinja of the Python type of a schema, whose type may be a list of types."""
    return f"{{{{ types.get({schema}.type | string, 'Any') }}}}"


_TOOLS = XmlTools(
    definitions=(
        "{% if messages[0]['role'] == 'system' %}{{ content }}{% else %}"
        "You are Doubao, a helpful AI assistant. You may call one or more functions to assist with "
        "the user query.{% endif %}" + _TYPES + "{% for tool in tools %}"
        "{% set tool = tool.function or tool %}"
        "{% set properties = tool.parameters.properties or {} %}"
        "\n\nFunction:\ndef {{ tool.name }}({% for name, schema in properties.items() %}"
        "{{ name }}: " + _type("schema") + "{% if not loop.last %},{% endif %}{% endfor %}):\n"
        '    """\n    {{ tool.description | trim }}\n\n'
        "{% if properties %}    Args:{% for name, schema in properties.items() %}"
        "\n    - {{ name }} (" + _type("schema") + ")"
        "{% if name in (tool.parameters.required or []) %} [必填]{% else %} [选填]{% endif %}: "
        "{{ schema.description or '' }}{% endfor %}{% endif %}"
        '\n\n    """{% endfor %}'
        "\n工具调用请遵循如下格式:\n<seed:tool_call>\n<function=example_function_name>\n"
        "<parameter=example_parameter_1>value_1</parameter>\n"
        "<parameter=example_parameter_2>This is the value for the second parameter\nthat can span\n"
        "multiple lines</parameter>\n</function>\n</seed:tool_call>\n"
    ),
    calls=(
        "{% if said %}\n{% endif %}{% for call in calls %}"
        "{% if thought or said or not loop.first %}\n{% endif %}"
        "<seed:tool_call>\n<function={{ call.function.name }}>\n"
        "{% for name, value in (call.function.arguments or {}).items() %}"
        "<parameter={{ name }}>{{ value }}</parameter>\n{% endfor %}"
        "</function>\n</seed:tool_call>{% endfor %}"
    ),
    result="<seed:bos>tool\n{{ content }}<seed:eos>",
    open="<seed:tool_call>",
    close="</seed:tool_call>",
)

_BUDGET = (
    "{% set budget = -1 if thinking_budget is not defined else thinking_budget %}"
    "{% if budget != -1 %}<seed:bos>system\n{% if budget == 0 %}"
    "You are an intelligent assistant that can answer questions in one step without the need for "
    "reasoning and thinking, that is, your thinking budget is 0. Next, please skip the thinking "
    "process and directly start answering the user's questions."
    "{% else %}{% set interval = 128 if budget <= 512 else 256 if budget <= 1024 else"
    " 512 if budget <= 4096 else 1024 %}"
    "You are an intelligent assistant with reflective ability. In the process of thinking and "
    "reasoning, you need to strictly follow the thinking budget, which is {{ budget }}. That is, "
    "you need to complete your thinking within {{ budget }} tokens and start answering the user's "
    "questions. You will reflect on your thinking process every {{ interval }} tokens, stating how "
    "many tokens have been used and how many are left.{% endif %}\n<seed:eos>{% endif %}"
)

TEMPLATE = ChatTemplate(
    special_tokens=(
        "<seed:think>",
        "</seed:think>",
        "<seed:cot_budget_reflect>",
        "</seed:cot_budget_reflect>",
        "<seed:tool_call>",
        "</seed:tool_call>",
    ),
    bos_token="<seed:bos>",
    eos_token="<seed:eos>",
    stops=("<seed:eos>",),
    default_system="",
    # the budget follows the system turn, which stands only where something is said in it
    system=(
        "{% if loop is defined or tools or messages and messages[0]['role'] == 'system' %}"
        "<seed:bos>system\n{{ content }}<seed:eos>{% endif %}"
        "{% if loop is not defined %}" + _BUDGET + "{% endif %}"
    ),
    user="<seed:bos>user\n{{ content }}<seed:eos>",
    strip=frozenset({"assistant"}),
    thinking=Thinking(open="<seed:think>", close="</seed:think>", kept="all"),
    # thoughts that are written in a content stay there
    answer_prefix=(
        "{% set said = (message['content'] or '') | trim %}"
        "{% set thought = (message['reasoning_content'] or '') | trim %}"
        "<seed:bos>assistant{% if said or thought or message['tool_calls'] %}\n{% endif %}"
    ),
    answer=(
        "{% if thought %}<seed:think>{{ thought }}</seed:think>"
        "{% if said %}\n{% endif %}{% endif %}{{ said }}"
    ),
    # the authors leave an answer that says nothing open
    answer_end="{% if said or message['tool_calls'] %}<seed:eos>{% endif %}",
    prompt=(
        "<seed:bos>assistant\n{% if thinking_budget == 0 %}<seed:think>\n<seed:cot_budget_reflect>"
        "The current thinking budget is 0, so I will directly start answering the question."
        "</seed:cot_budget_reflect>\n</seed:think>{% endif %}"
    ),
    # `thinking` is taken and changes nothing, as with the authors
    options={"thinking": None, "thinking_budget": None},
    tools=_TOOLS,
)
