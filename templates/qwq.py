"""QwQ: ChatML with Hermes tools whose prompt opens the thoughts, and whose text drops them.

Source: the chat template of Qwen/QwQ-32B (https://huggingface.co/Qwen/QwQ-32B).
"""

from luthier.core.templates import Thinking
from luthier.templates.chatml import TEMPLATE as CHATML
from luthier.templates.shared.hermes import HERMES

# the authors part a system prompt that is not there from the tools too, and a call from the text
# that held thoughts alone
_TOOLS = HERMES.model_copy(
    update={
        "definitions": "{{ content }}\n\n# Tools" + HERMES.definitions.partition("# Tools")[2],
        "calls": HERMES.calls.replace("content or", "message['content'] or"),
    }
)

TEMPLATE = CHATML.derived(
    thinking=Thinking(prompted=True, kept="none"),
    # thoughts in a content are dropped beside those that are given apart too
    answer="{{ (message['content'] or '').split('</think>')[-1].lstrip('\n') }}",
    prompt="<|im_start|>assistant\n<think>\n",
    tools=_TOOLS,
)
