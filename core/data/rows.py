"""The rows of a source: read one after the other, again and from any of them on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

Row = Mapping[str, Any]

READ_AT_ONCE = 1000


@dataclass(frozen=True)
class Rows:
    """Rows as they stand at a source; they are never all in memory."""

    read: Callable[[int], Iterator[Row]]
    """Yields the rows from the one of that number on, which counts from 0."""
    fingerprint: str
    """A text that changes whenever a row does."""
    place: Callable[[int], str] | None = None
    """Where a row stands, for messages: the file and the row of it; asked only of a bad one."""
    file_of: Callable[[int], tuple[str, int]] | None = None
    """Of rows of several files, the file of a row and its number there, which count from 0."""

    @classmethod
    def of(cls, found: Rows | Dataset | IterableDataset | Sequence[Row]) -> Rows:
        """Return rows of whatever a source gave: a dataset of the library, a list, or rows."""
        if isinstance(found, Rows):
            return found
        if isinstance(found, Sequence):
            text = json.dumps(found, sort_keys=True, default=repr)
            return cls(lambda start: iter(found[start:]), hashlib.sha256(text.encode()).hexdigest())
        return cls(lambda start: _of_dataset(found, start), str(found._fingerprint))  # noqa: SLF001

    def first(self, count: int) -> Rows:
        """Return so many rows from the start."""
        return Rows(
            lambda start: islice(self.read(start), max(0, count - start)),
            f"{self.fingerprint}:{count}",
            self.place,
            self.file_of,
        )

    def __iter__(self) -> Iterator[Row]:
        return self.read(0)


def _of_dataset(dataset: Dataset | IterableDataset, start: int) -> Iterator[Row]:
    rest: Any = dataset.skip(start) if start else dataset
    for columns in rest.iter(batch_size=READ_AT_ONCE):
        names = list(columns)
        for values in zip(*columns.values(), strict=True):
            yield dict(zip(names, values, strict=True))
