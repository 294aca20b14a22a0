"""What is wrong with a run file: where, what, and what to do. All of it is told at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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
        """Keep the problems, sorted by place, each once."""
        unique = dict.fromkeys(problems)
        self.problems = sorted(unique, key=lambda p: (p.place.line or 0, p.place.column or 0))
        super().__init__("\n".join(map(str, self.problems)))
