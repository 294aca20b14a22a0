"""Auto: the format that the columns of the first row tell."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core import Plugin, hookimpl
from luthier.core.data import Aligned, BadValue, aligned
from luthier.plugins.formats.alpaca import Alpaca
from luthier.plugins.formats.kto import Kto
from luthier.plugins.formats.openai import OpenAI
from luthier.plugins.formats.preference import PreferencePairs
from luthier.plugins.formats.pretokenized import Pretokenized
from luthier.plugins.formats.sharegpt import ShareGpt
from luthier.plugins.formats.text import PlainText

if TYPE_CHECKING:
    from luthier.core.data import DatasetSpec, Rows
    from luthier.plugins.formats.columns import RowFormat

Row = Mapping[str, Any]


class Guess(NamedTuple):
    """The format that a row seems to be of."""

    name: str
    plugin: RowFormat
    """The format, with the columns that were found."""
    why: str
    """What tells it, as a sentence without a capital and a full stop."""


class Auto(Plugin):
    """The format that fits the first row, found by its columns and what they hold."""

    @hookimpl
    def align_dataset(self, dataset: Rows, spec: DatasetSpec) -> Aligned | None:
        """Return the rows as the guessed format makes them, and say which it is."""
        try:
            guess = guessed(next(iter(dataset), {}))
        except BadValue as fault:
            raise aligned(dataset, spec, guessed).fault(0, fault) from None  # type: ignore[arg-type]
        note = f"format: {guess.name} ({guess.why})"
        logging.getLogger("luthier").info(note)
        return replace(aligned(dataset, spec, guess.plugin.standard), note=note)


def guessed(row: Row) -> Guess:
    """Return the format that a row seems to be of.

    Raises:
        BadValue: it looks like none.
    """
    for guess in (_ids, _judged, _preferred, _messages, _completed, _instructed, _document):
        found = guess(row)
        if found is not None:
            return found
    asked = next((asked for asked, _ in ASKED_AND_ANSWERED if asked in row), None)
    answers = [answered for column, answered in ASKED_AND_ANSWERED if column == asked]
    missing = f"; beside {asked!r} there is no answer, as {' or '.join(answers)}" if asked else ""
    raise BadValue(
        f"no format fits its columns: {', '.join(map(str, row)) or 'there are none'}{missing}",
        f"Name one and its columns, as `format: {{name: alpaca, instruction: COLUMN}}`. {NEEDED}",
    )


NEEDED = (
    "The columns that each needs: alpaca instruction and output; sharegpt conversations; openai "
    "messages, or prompt and completion; preference chosen and rejected, or two texts as output; "
    "kto label and an answer; pretokenized input_ids; text text."
)

ASKED_AND_ANSWERED = (
    ("instruction", "output"), ("instruction", "response"), ("prompt", "response"),
    ("prompt", "output"), ("question", "answer"), ("query", "response"), ("input", "output"),
)  # fmt: skip
"""The names under which rows ask and answer with one text each."""


def _ids(row: Row) -> Guess | None:
    if "input_ids" not in row:
        return None
    return Guess("pretokenized", Pretokenized(), "there is a column 'input_ids'")


def _judged(row: Row) -> Guess | None:
    answers = ("completion", "output", "messages", "conversations")
    answer = next((column for column in answers if column in row), None)
    label = next((column for column in ("label", "kto_tag") if column in row), None)
    if answer is None or label is None:
        return None
    return Guess("kto", Kto(), f"there are columns {label!r} and {answer!r}")


def _preferred(row: Row) -> Guess | None:
    plugin = PreferencePairs()
    if {"chosen", "rejected"} <= row.keys():
        return Guess("preference", plugin, "there are columns 'chosen' and 'rejected'")
    if isinstance(row.get("output"), list):
        return Guess("preference", plugin, "the column 'output' is a list of answers")
    return None


def _messages(row: Row) -> Guess | None:
    for column, value in row.items():
        first = next(iter(_listed(value) or ()), None)
        if not isinstance(first, Mapping) or column == "tools":
            continue
        if {"role", "content"} <= first.keys() and column not in {"prompt", "completion"}:
            plugin: RowFormat = OpenAI(messages=column)
            return Guess("openai", plugin, f"there is a column {column!r} of role and content")
        if {"from", "value"} <= first.keys():
            plugin = ShareGpt(messages=column)
            return Guess("sharegpt", plugin, f"there is a column {column!r} of from and value")
    # what is wrong in these columns is for their formats to say
    for format_ in (OpenAI(), ShareGpt()):
        if format_.messages in row:
            return Guess(format_.called, format_, f"there is a column {format_.messages!r}")
    return None


def _completed(row: Row) -> Guess | None:
    if not {"prompt", "completion"} <= row.keys():
        return None
    return Guess("openai", OpenAI(), "there are columns 'prompt' and 'completion'")


def _instructed(row: Row) -> Guess | None:
    for asked, answered in ASKED_AND_ANSWERED:
        if {asked, answered} <= row.keys():
            # a column cannot be the instruction and follow it, too
            after = "" if asked == "input" else "input"
            plugin = Alpaca(instruction=asked, output=answered, input=after)
            return Guess("alpaca", plugin, f"there are columns {asked!r} and {answered!r}")
    return None


def _document(row: Row) -> Guess | None:
    for column in ("text", "content"):
        if column in row:
            return Guess("text", PlainText(column=column), f"there is a column {column!r}")
    return None


def _listed(value: Any) -> list[Any] | None:
    """Return a list, or that of a JSON text; None for anything else."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, list) else None
