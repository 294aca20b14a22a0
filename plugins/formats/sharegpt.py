"""ShareGPT: rows of turns, each from somebody and with a value.

The form in which the conversations of sharegpt.com were collected; calls, observations and the
columns besides are LLaMA-Factory's additions (https://arxiv.org/abs/2403.13372).
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from luthier.core.data import Conversation
from luthier.plugins.formats.turns import TurnFormat, require_turns


class ShareGpt(TurnFormat):
    """Rows of turns, human and gpt, with calls and observations between them."""

    messages: str = "conversations"
    """The column of the turns."""
    system: str = "system"
    """The column of the system prompt, which a first turn of the system overrides; may be
    absent."""
    tools: str = "tools"
    """The column of the function tools, a list in OpenAI's form or its JSON text; may be absent."""

    called: ClassVar = "sharegpt"

    def standard(self, row: dict[str, Any]) -> Conversation:
        """Return the turns of a row as a conversation that the last one answers."""
        found = self.exchange(row, "messages")
        require_turns(found, partial(self.fault_of, "messages"))
        prompt, answer = self.answered(found, "messages")
        system = found.system or self.text(row, "system")
        return Conversation(prompt, [answer], system, self.functions(row))
