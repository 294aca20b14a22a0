"""Hunyuan-A13B: Hunyuan-Large with thoughts, and with tools that are told of in Chinese.

Source: the chat template of tencent/Hunyuan-A13B-Instruct
(https://huggingface.co/tencent/Hunyuan-A13B-Instruct). With tools, a question and an answer in
words say whose they are; the authors' text keeps the thoughts of a content.
"""

from luthier.core.templates import ChatTemplate, Thinking, ToolStyle
from luthier.core.templates.reading import Reader
from luthier.templates.hunyuan_large import TEMPLATE as HUNYUAN_LARGE

_FORM = (
    '<tool_calls>[{"name": "func_name1", "arguments": {"argument1": "value1", '
    '"argument2": "value2"}},...]</tool_calls>'
)

_NOW = (
    "{% set days = {'Monday': '一', 'Tuesday': '二', 'Wednesday': '三', 'Thursday': '四', "
    "'Friday': '五', 'Saturday': '六', 'Sunday': '日'} %}"
    "{{ strftime_now('%Y-%m-%d %H:%M:%S') }} 星期{{ days[strftime_now('%A')] }}"
)

_TOOLS = ToolStyle(
    definitions=(
        "{% set told = messages[0]['role'] == 'system' %}"
        "你是一位函数组合专家。你会得到一个问题和一组可能的函数。"
        "根据问题，你需要进行一个或多个函数/工具调用以实现目的。\n"
        "如果没有一个函数可以使用，请直接使用自然语言回复用户，以助手：开头。\n"
        "如果给定的问题缺少函数所需的参数，请使用自然语言进行提问，向用户询问必要信息，以助手：开头。\n"
        "如果调用结果已经足够回答用户问题，请对历史结果进行总结，使用自然语言回复用户，以助手：开头。\n"
        f"你应该只在工具调用部分返回函数调用。如果你决定调用任何函数，你必须将其格式化为{_FORM}。"
        "你不应该在回复中包含任何其他文本。以下是你可以调用的函数列表，格式为JSON。\n\n"
        "{{ tools | tojson }}\n{% if told %}\n额外要求：\n{{ content }}\n{% endif %}"
        f"\n如果你决定返回函数调用，请将其格式化为{_FORM}，不得包含其他文本。"
        "{% if told %}如果额外要求里有格式要求，请忽略，以此处为准。{% endif %}\n"
        "否则，请参考开头说的三种情况，以助手：开头进行回复。\n\n"
        "{% if told %}如果额外要求里有时间信息，就以额外要求里的时间为准，否则，参考{% endif %}"
        "当前时间：" + _NOW
    ),
    calls=(
        '{% if tools %}<tool_calls>[{% for call in calls %}{"name": "{{ call.function.name }}", '
        '"arguments": {{ call.function.arguments | tojson }}}{% if not loop.last %}, {% endif %}'
        "{% endfor %}]</tool_calls>{% endif %}"
    ),
    result=(
        "{% if tools %}<tool_response>{{ content }}</tool_response>{% else %}{{ content }}"
        "{% endif %}<|extra_0|>"
    ),
    open="<tool_calls>",
    close="</tool_calls>",
)


class _Speaking(ChatTemplate):
    """A format whose answers in words say whose they are."""

    def reader(self, *, prompt: str | None = None) -> Reader:
        """Return what reads an answer, without the name of who speaks."""
        began = prompt is not None and prompt.rstrip().endswith("<think>")
        return Reader(self.tools, self.thinking, prompted=began, around=("助手：", ""))


# empty thoughts stand at the end of any text where none are asked for
_THOUGHTLESS = "{% if enable_thinking is false %}<think>\n\n</think>\n{% endif %}"

TEMPLATE = _Speaking(
    special_tokens=HUNYUAN_LARGE.special_tokens,
    bos_token=HUNYUAN_LARGE.bos_token,
    stops=HUNYUAN_LARGE.stops,
    refuses_system=False,
    user=(
        "{% if loop.first and system %}{{ bos_token }}{{ system }}<|extra_4|>"
        "{% elif not tools %}{{ bos_token }}{% endif %}"
        "{% if tools %}用户：{% endif %}{{ content }}<|extra_0|>"
    ),
    answer=(
        "{% if tools and not message['tool_calls'] %}助手：{% endif %}"
        "{{ message['content'] or '' }}"
    ),
    answer_end=HUNYUAN_LARGE.answer_end,
    prompt=_THOUGHTLESS,
    finish=_THOUGHTLESS,
    thinking=Thinking(kept="none"),
    options={"enable_thinking": None},
    tools=_TOOLS,
)
