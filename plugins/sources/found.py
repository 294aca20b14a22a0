"""A row as the reader of a file finds it."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple, TypeAlias

from luthier.core.data.rows import Row


class Found(NamedTuple):
    """One row, and the line that it begins on where its type has lines."""

    line: int | None
    row: Row


Reading: TypeAlias = Generator[Found, None, int]
"""Yields rows; returns how many the file has in all, those that were skipped among them."""
