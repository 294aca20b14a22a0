"""What is wrong with a run file: where, what, and what to do. All of it is told at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from luthier.core.errors import LuthierError


class Place(NamedTuple):
    """Where a value comes from; lines and columns count from 1."""

    origin: str
    """A file's path, `command line`, or `default`."""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        if self.line is None:
            return self.origin
        return f"{self.origin}:{self.line}:{self.column}"


class Finding(NamedTuple):
    """A fault that a plugin tells of one of its keys; core adds the place."""

    key: str
    """The key, relative to the section or the dataset that was checked; empty for all of it."""
    problem: str
    remedy: str
    certain: bool = True
    """False for what only may be wrong: a default is left out for it, and what a file names is
    not, which finds out when it acts."""


class Problem(NamedTuple):
    """One fault of a run file."""

    place: Place
    key: str
    """The full key, such as `training.learning_rate`."""
    problem: str
    remedy: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.place}: {key}{self.problem}\n    {self.remedy}"


class BadRunFile(LuthierError):
    """A run file that cannot be run, with every problem that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems, each once; those of one file together, in the order of its lines."""
        unique = list(dict.fromkeys(problems))
        origins = list(dict.fromkeys(p.place.origin for p in unique))
        self.problems = sorted(
            unique,
            key=lambda p: (origins.index(p.place.origin), p.place.line or 0, p.place.column or 0),
        )
        lines = list(map(str, self.problems))
        # each problem begins a line of its own, as editors find `file:line:column`
        head = [f"{len(lines)} problems"] if len(lines) > 1 else []
        super().__init__("\n".join([*head, *lines]))


def described(value: Any) -> str:
    """Return a value as a message shows it: what it is, then itself, cut where it is long."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return f"the text {cut(value)!r}"
    if isinstance(value, float):
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(str(value), str(value))
    return cut(json.dumps(value))


def shown(value: Any) -> str:
    """Return a value of data for a message: as Python writes it, cut where it is long."""
    return cut(repr(value))


def counted(count: int, one: str, many: str) -> str:
    """Return a number with what it counts, such as `1 row` and `2,000 rows`."""
    return f"{count:,} {one if count == 1 else many}"


LONGEST_SHOWN = 60


def cut(text: str) -> str:
    """Return a text, or its beginning where a message would have too much of it."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
