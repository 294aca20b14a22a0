"""DeepSeek R1: DeepSeek V3 whose prompt opens the thoughts, which an answer's text loses.

Source: the chat template of deepseek-ai/DeepSeek-R1 (https://huggingface.co/deepseek-ai/DeepSeek-R1).
"""

from luthier.core.templates import Thinking
from luthier.templates.deepseek_v3_0324 import TEMPLATE as DEEPSEEK_V3_0324
from luthier.templates.shared.deepseek import FENCED_ONCE, ONCE_PREFIX, ROWS

# its results stand without a line end between them
_TOOLS = FENCED_ONCE.model_copy(
    update={
        "result": FENCED_ONCE.result.replace(
            "{% if rows.answered %}\n{% else %}", "{% if not rows.answered %}"
        )
    }
)

# calls that are not the first keep no text; one that is said with calls or to results keeps all
_ANSWER = (
    "{% set said = message['content'] or '' %}"
    "{% if message['tool_calls'] %}{% if rows.called %}{% set said = '' %}{% endif %}"
    "{% elif loop.first or loop.previtem['role'] != 'tool' %}"
    "{% set said = said.split('</think>')[-1] %}{% endif %}{{ said }}"
)

TEMPLATE = DEEPSEEK_V3_0324.derived(
    thinking=Thinking(prompted=True, kept="none"),
    begin="{{ bos_token }}" + ROWS,
    answer_prefix=ONCE_PREFIX,
    answer=_ANSWER,
    tools=_TOOLS,
    finish="",
    prompt=(
        "{% if not messages or messages[-1]['role'] != 'tool' %}<｜Assistant｜><think>\n{% endif %}"
    ),
)
