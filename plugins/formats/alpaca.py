"""Alpaca: rows of instruction, input and output (Taori et al., 2023).

Source: https://github.com/tatsu-lab/stanford_alpaca#data-release. `history` and `system` are the
additions that LLaMA-Factory made common: pairs of earlier turns, and a system prompt.
"""

from __future__ import annotations

from typing import Any, ClassVar

from luthier.core.data import Conversation
from luthier.plugins.formats.columns import Instructions
from luthier.plugins.formats.thoughts import answer


class Alpaca(Instructions):
    """Rows of an instruction, an optional input, and the output that answers them."""

    output: str = "output"
    """The column of the answer."""

    called: ClassVar = "alpaca"

    def standard(self, row: dict[str, Any]) -> Conversation:
        """Return a row as a conversation; the turns of `history` come before the instruction."""
        if self.output not in row:
            raise self.absent(row, "output")
        prompt = self.instructed(row)
        response = [answer(self.filled(row, "output", "there is nothing to learn"))]
        return Conversation(prompt, response, self.text(row, "system"), self.functions(row))
