"""QwQ: ChatML with Hermes tools whose prompt opens the thoughts, and whose text drops them.

Source: the chat template of Qwen/QwQ-32B (https://huggingface.co/Qwen/QwQ-32B).
"""

from luthier.core.templates import Thinking
from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.shared.hermes import HERMES

# the authors part an empty system prompt from the tools too
_TOOLS = HERMES.model_copy(
    update={"definitions": HERMES.definitions.replace("{% if content %}\n\n{% endif %}", "\n\n", 1)}
)

TEMPLATE = CHATML.derived(
    thinking=Thinking(prompted=True, kept="none"),
    answer="{{ content.lstrip('\n') }}",
    prompt="<|im_start|>assistant\n<think>\n",
    tools=_TOOLS,
)
