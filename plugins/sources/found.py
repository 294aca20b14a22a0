"""A row as the reader of a file finds it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, NamedTuple, TypeAlias

from luthier.core.data import BadValue
from luthier.core.data.rows import GivenRow
from luthier.core.problems import shown


class Found(NamedTuple):
    """One row, or what is wrong with it, and the line that it begins on if its type has lines."""

    line: int | None
    row: GivenRow


Reading: TypeAlias = Generator[Found, None, int]
"""Yields rows; returns how many the file has in all, those that were skipped among them."""


def no_object(value: Any) -> BadValue:
    """Return the fault of a row of JSON that is something else than an object."""
    return BadValue(
        f"found {shown(value)}, and a row is a JSON object",
        'Write it as {"column": value}, or leave the row out.',
    )
