"""Preference pairs: rows of a prompt, a good answer and a bad one.

A list of two as `output` is the form of LLaMA-Factory's paper (Table 2,
https://arxiv.org/abs/2403.13372); `chosen` and `rejected`, with a prompt or with it in both, are
TRL's (https://huggingface.co/docs/trl/dataset_formats#preference). Of two texts without a prompt it
is what both begin with, as TRL takes it; here no word is cut in two.
"""

from __future__ import annotations

from collections.abc import Mapping
from os.path import commonprefix
from typing import Any, ClassVar

from luthier.core.data import Preference
from luthier.core.problems import shown
from luthier.plugins.formats.asking import AskingFormat
from luthier.plugins.formats.messages import Exchange
from luthier.plugins.formats.thoughts import answer


class PreferencePairs(AskingFormat):
    """Rows of two answers, of which one is preferred."""

    chosen: str = "chosen"
    """The column of the better answer: a text, a message, or a conversation that ends with it."""
    rejected: str = "rejected"
    """The column of the worse answer, in the form of the better one."""

    called: ClassVar = "preference"

    def standard(self, row: dict[str, Any]) -> Preference:
        """Return a row as what is asked and its two answers, the better one first."""
        row = self._asking(row)
        if self.chosen in row or self.rejected in row:
            answers = [self._answer(row, option) for option in ("chosen", "rejected")]
        elif self.output in row:
            answers = self._outputs(row)
        else:
            raise self.absent(row, "chosen", "rejected", "output")
        whole = any(one.messages[0]["role"] != "assistant" for one in answers)
        asked = Exchange("", []) if whole else self.asked(row)
        chosen, rejected = answers
        if (chosen.system, chosen.messages[:-1]) != (rejected.system, rejected.messages[:-1]):
            raise self.bad(
                "rejected",
                f"{self.chosen!r} and {self.rejected!r} differ before their last messages",
                "Let both begin with the same conversation",
            )
        prompt = [*asked.messages, *chosen.messages[:-1]]
        if not prompt or prompt[-1]["role"] == "assistant":
            said = "the prompt of the two answers ends with an answer itself"
            raise self.bad("prompt", said, "End the prompt with a question")
        response = [chosen.messages[-1], rejected.messages[-1]]
        if response[0] == response[1]:
            said = f"the better and the worse answer are the same: {shown(response[0]['content'])}"
            raise self.bad("rejected", said, "Write another one, leave the row out")
        system = asked.system or chosen.system or self.text(row, "system")
        return Preference(prompt, response, system, self.functions(row))

    def _asking(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row; one of two texts and nothing else asks what both of them begin with."""
        chosen, rejected = row.get(self.chosen), row.get(self.rejected)
        asks = {self.prompt, self.instruction, self.messages, self.conversations} & row.keys()
        whole = self.holds_messages(row, "chosen") or self.holds_messages(row, "rejected")
        if asks or whole or not isinstance(chosen, str) or not isinstance(rejected, str):
            return row
        end = shared_end(chosen, rejected)
        if not chosen[:end].strip():
            return row
        answers = {self.chosen: chosen[end:].lstrip(), self.rejected: rejected[end:].lstrip()}
        return {**row, self.prompt: chosen[:end].rstrip(), **answers}

    def _answer(self, row: dict[str, Any], option: str) -> Exchange:
        """Return one answer, or the conversation that ends with it."""
        if getattr(self, option) not in row:
            raise self.absent(row, option)
        value = row[getattr(self, option)]
        if isinstance(value, Mapping):
            value = [value]
        found = self.said({**row, getattr(self, option): value}, option, "assistant")
        if not found.messages or found.messages[0]["role"] != "assistant":
            self.in_order(found, option)
        if found.messages[-1]["role"] != "assistant":
            said = f"the field {getattr(self, option)!r} ends with no answer"
            raise self.bad(option, said, "Add the answer")
        return found

    def _outputs(self, row: dict[str, Any]) -> list[Exchange]:
        found = self.parsed(row, "output")
        texts = isinstance(found, list) and all(isinstance(t, str) and t.strip() for t in found)
        if not texts or len(found) != len(("chosen", "rejected")):
            said = (
                f"the field {self.output!r} is {shown(found)}; expected were two texts, the better "
                "one first"
            )
            raise self.bad("output", said, 'Write ["the better answer", "the worse one"]')
        return [Exchange("", [answer(text)]) for text in found]


def shared_end(*texts: str) -> int:
    """Return where what all texts begin with ends: before the word in which they differ."""
    shared = commonprefix(texts)  # noqa: RUF071 - these are no paths
    rests = [text[len(shared) :] for text in texts]
    within = shared[-1:].isalnum() and any(rest[:1].isalnum() for rest in rests)
    if within or not all(rest.strip() for rest in rests):
        before = shared[: shared.rindex(shared.split()[-1])] if shared.split() else ""
        # a script that puts no space between words is cut where it differs
        return len(before if before.strip() else shared)
    return len(shared)
