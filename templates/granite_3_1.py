"""Granite 3.1: Granite 3.0 with a dated system prompt, and tools in a turn after it.

Source: the chat template of ibm-granite/granite-3.1-8b-instruct
(https://huggingface.co/ibm-granite/granite-3.1-8b-instruct).
"""

from luthier.templates.granite_3_0 import TEMPLATE as GRANITE_3_0
from luthier.templates.shared.granite import listed, opening

TEMPLATE = GRANITE_3_0.derived(
    begin="",
    default_system="",
    system=opening(),
    tools=listed("tool"),
    options={"documents": None},
)
