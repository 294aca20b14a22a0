"""DeepSeek V3.2: tokens for User and Assistant, thoughts where asked for, and calls in XML.

Source: the encoding code of deepseek-ai/DeepSeek-V3.2
(https://huggingface.co/deepseek-ai/DeepSeek-V3.2/blob/main/encoding/encoding_dsv32.py). Its modes
are `thinking: false`, the default here, and `thinking: true`.
"""

from luthier.core.templates import ChatTemplate, Thinking
from luthier.templates.shared.invocations import Invocations

_THINK = "{% if thinks and loop.index0 >= last_question %}<think>{% else %}</think>{% endif %}"

_TOOLS = Invocations(
    definitions=(
        "{{ content }}\n\n## Tools\n\n"
        "You have access to a set of tools you can use to answer the user's question.\n"
        'You can invoke functions by writing a "<｜DSML｜function_calls>" block like the following '
        "as part of your reply to the user:\n"
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="$FUNCTION_NAME">\n'
        '<｜DSML｜parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE'
        "</｜DSML｜parameter>\n...\n</｜DSML｜invoke>\n"
        '<｜DSML｜invoke name="$FUNCTION_NAME2">\n...\n</｜DSML｜invoke>\n'
        "</｜DSML｜function_calls>\n\n"
        "String and scalar parameters should be specified as is without any escaping or quotes, "
        'while lists and objects should use JSON format. The "string" attribute should be set to '
        '"true" for string type parameters and "false" for other types (numbers, booleans, arrays, '
        "objects).\n\n"
        "If the thinking_mode is enabled, then after function results you should strongly consider "
        "outputting a thinking block. Here is an example:\n\n"
        "<｜DSML｜function_calls>\n...\n</｜DSML｜function_calls>\n\n"
        "<function_results>\n...\n</function_results>\n\n"
        "<think>...thinking about results</think>\n\n"
        "Here are the functions available in JSONSchema format:\n<functions>\n"
        "{% for tool in tools %}{{ (tool.function or tool) | tojson }}\n{% endfor %}</functions>\n"
    ),
    calls=(
        "\n\n<｜DSML｜function_calls>\n{% for call in calls %}"
        '<｜DSML｜invoke name="{{ call.function.name }}">\n'
        "{% for name, value in (call.function.arguments or {}).items() %}"
        "{% if not loop.first %}\n{% endif %}"
        '<｜DSML｜parameter name="{{ name }}" string="{{ value is string | string | lower }}">'
        "{{ value if value is string else value | tojson }}</｜DSML｜parameter>{% endfor %}"
        "\n</｜DSML｜invoke>\n{% endfor %}</｜DSML｜function_calls>"
    ),
    result=(
        "{% if first %}\n\n<function_results>{% endif %}\n<result>{{ content }}</result>"
        "{% if last %}\n</function_results>\n\n" + _THINK + "{% endif %}"
    ),
    open="<｜DSML｜function_calls>",
    close="</｜DSML｜function_calls>",
    mark="｜DSML｜",
)

TEMPLATE = ChatTemplate(
    special_tokens=("<｜User｜>", "<｜Assistant｜>"),
    bos_token="<｜begin▁of▁sentence｜>",
    eos_token="<｜end▁of▁sentence｜>",
    stops=("<｜end▁of▁sentence｜>",),
    # an answer's own thoughts are `thinking` too
    begin="{{ bos_token }}{% set thinks = thinking is true %}",
    system="{{ content }}",
    # the authors' questions and results always end where the model goes on
    user="<｜User｜>{{ content }}<｜Assistant｜>" + _THINK,
    answer=(
        "{% if thinks and loop.index0 > last_question %}"
        "{{ message['reasoning_content'] or '' }}</think>{% endif %}{{ message['content'] or '' }}"
    ),
    answer_end="{{ eos_token }}",
    thinking=Thinking(kept="after-question"),
    options={"thinking": None},
    tools=_TOOLS,
)
