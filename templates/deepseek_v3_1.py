"""DeepSeek V3.1: DeepSeek V3 that thinks where it is asked to, its calls without fences.

Source: the chat template of deepseek-ai/DeepSeek-V3.1
(https://huggingface.co/deepseek-ai/DeepSeek-V3.1).
"""

from luthier.core.templates import Thinking
from luthier.templates.deepseek_v3_0324 import TEMPLATE as DEEPSEEK_V3_0324
from luthier.templates.shared.deepseek import FENCED

_TOOLS = FENCED.model_copy(
    update={
        "calls": (
            "<｜tool▁calls▁begin｜>{% for call in calls %}"
            "<｜tool▁call▁begin｜>{{ call.function.name }}<｜tool▁sep｜>"
            "{{ call.function.arguments | tojson }}<｜tool▁call▁end｜>{% endfor %}"
            "<｜tool▁calls▁end｜>"
        ),
        "result": "<｜tool▁output▁begin｜>{{ content }}<｜tool▁output▁end｜>",
        "pattern": r"\s*+(?P<name>[^\n{]+?)(?<!\s)\s*+<｜tool▁sep｜>(?P<arguments>.*)",
    }
)

TEMPLATE = DEEPSEEK_V3_0324.derived(
    stops=("<｜end▁of▁sentence｜>",),
    thinking=Thinking(kept="none"),
    # only a question is answered in a new turn; closed thoughts alone mark an answer without any
    answer_prefix=(
        "{% set asked = not loop.first and loop.previtem['role'] == 'user' %}"
        "{% if asked %}<｜Assistant｜></think>{% endif %}"
    ),
    # thoughts stay in a content with calls, and in one that answers results
    answer=(
        "{% set said = message['content'] or '' %}"
        "{% if '</think>' in said and not message['tool_calls']"
        " and (loop.first or loop.previtem['role'] != 'tool') %}"
        "{% set said = said.split('</think>', 1)[1] %}{% endif %}{{ said }}"
    ),
    prompt=(
        "{% if messages and messages[-1]['role'] == 'user' %}<｜Assistant｜>"
        "{% if thinking %}<think>{% else %}</think>{% endif %}{% endif %}"
    ),
    finish="",
    options={"thinking": None},
    tools=_TOOLS,
)
