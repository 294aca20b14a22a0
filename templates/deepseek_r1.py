"""DeepSeek R1: DeepSeek V3 whose prompt opens the thoughts, which an answer's text loses.

Source: the chat template of deepseek-ai/DeepSeek-R1 (https://huggingface.co/deepseek-ai/DeepSeek-R1).
"""

from luthier.core.templates import Thinking
from luthier.templates.deepseek_v3_0324 import TEMPLATE as DEEPSEEK_V3_0324
from luthier.templates.shared.deepseek import FENCED

# its results stand without a line end between them
_TOOLS = FENCED.model_copy(update={"result": FENCED.result.replace("{% else %}\n", "")})

TEMPLATE = DEEPSEEK_V3_0324.derived(
    thinking=Thinking(prompted=True, kept="none"),
    answer="{{ (message['content'] or '').split('</think>')[-1] }}",
    tools=_TOOLS,
    finish="",
    prompt=(
        "{% if not messages or messages[-1]['role'] != 'tool' %}<｜Assistant｜><think>\n{% endif %}"
    ),
)
