"""Granite 3.2: Granite 3.1, told by `thinking` to write thoughts, which are not kept.

Source: the chat template of ibm-granite/granite-3.2-2b-instruct
(https://huggingface.co/ibm-granite/granite-3.2-2b-instruct).
"""

from luthier.core.templates import Thinking
from luthier.templates.granite_3_1 import TEMPLATE as GRANITE_3_1
from luthier.templates.shared.granite import opening

_OPEN, _CLOSE = "Here is my thought process:", "Here is my response:"

TEMPLATE = GRANITE_3_1.derived(
    system=opening(
        thoughts=f"after '{_OPEN}' and write your response after '{_CLOSE}' for each user query."
    ),
    # the authors' text leaves thoughts that stand in the content where they are
    answer="{{ message['content'] or '' }}",
    thinking=Thinking(open=_OPEN, close=_CLOSE, kept="none"),
    options={**GRANITE_3_1.options, "thinking": None},
)
