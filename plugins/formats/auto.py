"""Auto: the format that the columns of the first rows tell."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core import Plugin, hookimpl
from luthier.core.data import Aligned, BadValue, aligned
from luthier.core.data.rows import GivenRow, Row
from luthier.plugins.formats.alpaca import Alpaca
from luthier.plugins.formats.kto import Kto, judgement
from luthier.plugins.formats.openai import OpenAI
from luthier.plugins.formats.preference import PreferencePairs
from luthier.plugins.formats.pretokenized import Pretokenized
from luthier.plugins.formats.sharegpt import ShareGpt
from luthier.plugins.formats.text import PlainText

if TYPE_CHECKING:
    from luthier.core.data import DatasetSpec, Rows
    from luthier.plugins.formats.columns import RowFormat


class Guess(NamedTuple):
    """The format that a row seems to be of."""

    name: str
    plugin: RowFormat
    """The format, with the columns that were found."""
    why: str
    """What tells it, as a sentence without a capital and a full stop."""

    def key(self) -> tuple[str, str]:
        """Return what is the same for guesses that come to the same."""
        return self.name, self.plugin.model_dump_json()


LOOKED_AT = 100
"""Rows at the start of a dataset that are looked at: a few of them may be odd."""


class Auto(Plugin):
    """The format that fits most of the first rows, found by their columns and what these hold."""

    @hookimpl
    def align_dataset(self, dataset: Rows, spec: DatasetSpec) -> Aligned | None:
        """Return the rows as the guessed format makes them, and say which it is."""
        found, faults = [], []
        for number, row in enumerate(islice(dataset, LOOKED_AT)):
            try:
                found.append(guessed(row))
            except BadValue as fault:
                faults.append((number, fault))
        if not found:
            raise aligned(dataset, spec, guessed).fault(*faults[0]) from None  # type: ignore[arg-type]
        counts = Counter(map(Guess.key, found))
        guess = max(found, key=lambda one: counts[one.key()])
        agreed, looked_at = counts[guess.key()], len(found) + len(faults)
        of = "" if agreed == looked_at else f" in {agreed} of the first {looked_at} rows"
        note = f"format: {guess.name} ({guess.why}{of})"
        logging.getLogger("luthier").info(note)
        return replace(aligned(dataset, spec, guess.plugin.standard), note=note)


def guessed(row: GivenRow) -> Guess:
    """Return the format that a row seems to be of.

    Raises:
        BadValue: it looks like none, or could not be read.
    """
    if isinstance(row, BadValue):
        raise row
    for guess in (_ids, _judged, _preferred, _messages, _completed, _instructed, _document):
        found = guess(row)
        if found is not None:
            return found
    asked = next((asked for asked, _ in ASKED_AND_ANSWERED if asked in row), None)
    answers = [answered for column, answered in ASKED_AND_ANSWERED if column == asked]
    missing = f"; beside {asked!r} there is no answer, as {' or '.join(answers)}" if asked else ""
    raise BadValue(
        f"no format fits its columns: {', '.join(map(str, row)) or 'there are none'}{missing}",
        f"{PROMPTS if asked == 'prompt' else ''}Name one and its columns, as "
        f"`format: {{name: alpaca, instruction: COLUMN}}`. {NEEDED}",
    )


PROMPTS = "Where the stage has the model answer, write `format: prompts`. "
NEEDED = (
    "The columns that each needs: alpaca instruction and output; sharegpt conversations; openai "
    "messages, or prompt and completion; preference chosen and rejected, or two texts as output; "
    "kto label and an answer; prompts prompt; pretokenized input_ids; text text."
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
    label = next((column for column in ("label", "kto_tag") if column in row), None)
    if label is None:
        return None
    answers = ("completion", "output", "messages", "conversations")
    answer = next((column for column in answers if column in row), None)
    if answer is not None:
        return Guess("kto", Kto(), f"there are columns {label!r} and {answer!r}")
    pair = _pair(row)
    # beside a text that answers, a label may as well be a topic
    if pair is None or judgement(row[label]) is None:
        return None
    plugin = Kto(prompt=pair[0], completion=pair[1])
    return Guess("kto", plugin, f"there are columns {pair[0]!r} and {pair[1]!r}, and a {label!r}")


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
    pair = _pair(row)
    if pair is None:
        return None
    asked, answered = pair
    # a column cannot be the instruction and follow it, too
    after = "" if asked == "input" else "input"
    plugin = Alpaca(instruction=asked, output=answered, input=after)
    return Guess("alpaca", plugin, f"there are columns {asked!r} and {answered!r}")


def _pair(row: Row) -> tuple[str, str] | None:
    return next((pair for pair in ASKED_AND_ANSWERED if {*pair} <= row.keys()), None)


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
