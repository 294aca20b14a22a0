"""Prompts: rows of what is asked, to which the model itself answers in training.

The answer that a row may have besides is no part of it; a reward may compare with it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from luthier.core.data import Conversation
from luthier.plugins.formats.asking import AskingFormat


class Prompts(AskingFormat):
    """Rows of prompts, for stages that sample answers to them."""

    answer: str = "answer"
    """The column of the right answer, a text, for rewards that compare with it; may be absent."""

    called: ClassVar = "prompts"

    def standard(self, row: dict[str, Any]) -> Conversation:
        """Return a row as what is asked, and its right answer if there is one."""
        asked = self.asked(row)
        if asked.messages[-1]["role"] == "assistant":
            said = "the prompt ends with an answer itself"
            raise self.bad("prompt", said, "End it with a question")
        answer = self.text(row, "answer")
        response = [{"role": "assistant", "content": answer}] if answer else []
        system = asked.system or self.text(row, "system")
        return Conversation(asked.messages, response, system, self.functions(row))
