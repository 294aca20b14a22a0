"""The tool style of DeepSeek V3 and R1: each call is JSON in a fence between tokens of its own.

Source: the chat templates of deepseek-ai/DeepSeek-V3 and deepseek-ai/DeepSeek-R1
(https://huggingface.co/deepseek-ai).
"""

from luthier.core.templates import ToolStyle

TOKENS = (
    "<｜User｜>",
    "<｜Assistant｜>",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁calls▁end｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁sep｜>",
    "<｜tool▁outputs▁begin｜>",
    "<｜tool▁outputs▁end｜>",
    "<｜tool▁output▁begin｜>",
    "<｜tool▁output▁end｜>",
)

_CALL = (
    "<｜tool▁call▁begin｜>function<｜tool▁sep｜>{{ call.function.name }}\n"
    "```json\n{{ call.function.arguments | tojson }}\n```<｜tool▁call▁end｜>"
)

# the authors' texts have no place for the tools themselves
FENCED = ToolStyle(
    definitions="{{ content }}",
    calls=(
        "<｜tool▁calls▁begin｜>{% for call in calls %}{% if not loop.first %}\n{% endif %}"
        + _CALL
        + "{% endfor %}<｜tool▁calls▁end｜>"
    ),
    result=(
        "{% if first %}<｜tool▁outputs▁begin｜>{% else %}\n{% endif %}"
        "<｜tool▁output▁begin｜>{{ content }}<｜tool▁output▁end｜>"
        "{% if last %}<｜tool▁outputs▁end｜>{% endif %}"
    ),
    open="<｜tool▁call▁begin｜>",
    close="<｜tool▁call▁end｜>",
    section=("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
    pattern=r"(?>.*?<｜tool▁sep｜>)(?P<name>[^\n`{]++)[^{]*+(?P<arguments>\{.*)",
)

# The first texts open calls, and results, once in a conversation: later ones begin with a line end,
# without a token of the assistant.
ROWS = "{% set rows = namespace(called=false, answered=false) %}"

ONCE_PREFIX = (
    "{% if (not rows.called if message['tool_calls']"
    " else loop.first or loop.previtem['role'] != 'tool') %}<｜Assistant｜>{% endif %}"
)

_ONCE_RESULT = (
    "{% if rows.answered %}\n{% else %}<｜tool▁outputs▁begin｜>{% endif %}"
    "{% set rows.answered = true %}"
    "<｜tool▁output▁begin｜>{{ content }}<｜tool▁output▁end｜>"
    "{% if loop.last or loop.nextitem['role'] == 'assistant' and not loop.nextitem['tool_calls'] %}"
    "<｜tool▁outputs▁end｜>{% endif %}"
)

FENCED_ONCE = FENCED.model_copy(
    update={
        "calls": (
            "{% for call in calls %}"
            "{% if rows.called %}\n{% else %}<｜tool▁calls▁begin｜>{% endif %}"
            + _CALL
            + "{% set rows.called = true %}{% endfor %}<｜tool▁calls▁end｜>"
        ),
        "result": _ONCE_RESULT,
    }
)

# there, each call but the first of all is closed and ended, and that one is not
FENCED_OPEN = FENCED_ONCE.model_copy(
    update={
        "calls": (
            "{% for call in calls %}{% if rows.called %}\n" + _CALL
            + "<｜tool▁calls▁end｜>{{ eos_token }}{% else %}<｜tool▁calls▁begin｜>" + _CALL
            + "{% endif %}{% set rows.called = true %}{% endfor %}"
        )
    }
)  # fmt: skip
OPEN_END = "{% if not message['tool_calls'] %}{{ eos_token }}{% endif %}"
