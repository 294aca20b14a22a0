"""Magistral: the format of Devstral with thoughts in [THINK] and [/THINK], all kept.

Source: version 13 of mistral-common
(https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/tokens/tokenizers/instruct.py).
"""

from luthier.core.templates import Thinking
from luthier.templates.shared.mistral import mistral

_PLAIN = mistral(13, before="{%- set reasoning = true -%}")

TEMPLATE = _PLAIN.derived(
    special_tokens=(*_PLAIN.special_tokens, "[THINK]", "[/THINK]"),
    thinking=Thinking(open="[THINK]", close="[/THINK]", kept="all"),
    options={"thinking": None},
)
