"""What the formats of judged answers share: where a row may hold what is answered."""

from __future__ import annotations

from luthier.plugins.formats.columns import Instructions, Read
from luthier.plugins.formats.messages import Exchange, Fault
from luthier.plugins.formats.turns import TurnFormat, require_turns


class AskingFormat(Instructions, TurnFormat):
    """Base of a format whose answers stand apart from what they answer."""

    prompt: str = "prompt"
    """The column of what is answered, a text or messages."""
    messages: str = "messages"
    """The column of messages in OpenAI's form; it comes before `prompt`."""
    conversations: str = "conversations"
    """The column of turns from somebody; it comes before `prompt`."""
    output: str = "output"
    """The column of the answer, or of the answers, to an instruction."""

    def asked(self, row: Read) -> Exchange:
        """Return what is answered, from the first of its columns that is filled in."""
        for option in ("messages", "conversations"):
            if self.has(row, option):
                return self.in_order(self.exchange(row, option), option)
        if self.has(row, "prompt"):
            if self.holds_messages(row, "prompt"):
                return self.in_order(self.said(row, "prompt", "user"), "prompt")
            return Exchange("", self.instructed(row, "prompt"))
        if self.instruction in row:
            return Exchange("", self.instructed(row))
        raise self.absent(row, "prompt", "instruction", "messages", "conversations")

    def in_order(self, found: Exchange, option: str) -> Exchange:
        """Return messages whose roles take turns."""
        if not found.messages:
            said = f"the field {getattr(self, option)!r} holds a system prompt and no question"
            raise self.bad(option, said, "Add the question")

        def fault_of(number: int) -> Fault:
            return self.fault_of(option, number)

        require_turns(found, fault_of)
        return found
