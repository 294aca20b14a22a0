"""EXAONE Deep: EXAONE 3.5 whose prompt opens the thoughts, which the history loses.

Source: the chat template of LGAI-EXAONE/EXAONE-Deep-2.4B
(https://huggingface.co/LGAI-EXAONE/EXAONE-Deep-2.4B).
"""

from luthier.core.templates import Thinking
from luthier.templates.exaone_3_5 import TEMPLATE as EXAONE_3_5

TEMPLATE = EXAONE_3_5.derived(
    thinking=Thinking(open="<thought>", close="</thought>", prompted=True, kept="none"),
    # line ends stand between messages, the one before the prompt is the prompt's
    user="[|user|]{{ content }}{% if not loop.last %}\n{% endif %}",
    answer_suffix="{% if not loop.last %}\n{% endif %}",
    prompt="\n[|assistant|]<thought>\n",
)
