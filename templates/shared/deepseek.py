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

# the authors' texts have no place for the tools themselves
FENCED = ToolStyle(
    definitions="{{ content }}",
    calls=(
        "<｜tool▁calls▁begin｜>{% for call in calls %}{% if not loop.first %}\n{% endif %}"
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>{{ call.function.name }}\n"
        "```json\n{{ call.function.arguments | tojson }}\n```<｜tool▁call▁end｜>{% endfor %}"
        "<｜tool▁calls▁end｜>"
    ),
    result=(
        "{% if first %}<｜tool▁outputs▁begin｜>{% else %}\n{% endif %}"
        "<｜tool▁output▁begin｜>{{ content }}<｜tool▁output▁end｜>"
        "{% if last %}<｜tool▁outputs▁end｜>{% endif %}"
    ),
    open="<｜tool▁call▁begin｜>",
    close="<｜tool▁call▁end｜>",
    section=("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"),
    pattern=r".*?<｜tool▁sep｜>(?P<name>[^\n`{]+)[^{]*(?P<arguments>\{.*)",
)

# one call alone is not closed, nor followed by the EOS token, in the first texts
FENCED_OPEN = FENCED.model_copy(
    update={
        "calls": FENCED.calls.removesuffix("<｜tool▁calls▁end｜>")
        + "{% if calls | length > 1 %}<｜tool▁calls▁end｜>{% endif %}"
    }
)
OPEN_END = "{% if (message['tool_calls'] or []) | length != 1 %}{{ eos_token }}{% endif %}"
