"""The rows of a source: read one after the other, again and from any of them on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from luthier.core.data.padding import unpadded

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

    from luthier.core.data.standard import BadValue

Row = Mapping[str, Any]
GivenRow: TypeAlias = "Row | BadValue"
"""A row as its source gives it; of one that cannot be read, a line that is no JSON, the fault."""

READ_AT_ONCE = 1000


@dataclass(frozen=True)
class Rows:
    """Rows as they stand at a source; they are never all in memory."""

    read: Callable[[int], Iterator[GivenRow]]
    """Yields the rows from the one of that number on, which counts from 0."""
    fingerprint: str
    """A text that changes whenever a row does."""
    place: Callable[[int], str] | None = None
    """Where a row stands, for messages: the file and the row of it; asked only of a bad one."""
    file_of: Callable[[int], tuple[str, int]] | None = None
    """Of rows of several files, the file of a row and its number there, which count from 0."""

    @classmethod
    def of(
        cls,
        found: Rows | Dataset | IterableDataset | Sequence[Row],
        fingerprint: str | None = None,
    ) -> Rows:
        """Return rows of whatever a source gave: a dataset of the library, a list, or rows.

        Args:
            found: the rows.
            fingerprint: changes whenever they do, where that is known of a dataset of the library.
        """
        if isinstance(found, Rows):
            return found
        if isinstance(found, Sequence):
            text = json.dumps(found, sort_keys=True, default=repr)
            return cls(lambda start: iter(found[start:]), hashlib.sha256(text.encode()).hexdigest())
        return cls(lambda start: _of_dataset(found, start), fingerprint or _fingerprint_of(found))

    def first(self, count: int) -> Rows:
        """Return so many rows from the start."""
        return Rows(
            lambda start: islice(self.read(start), max(0, count - start)),
            f"{self.fingerprint}:{count}",
            self.place,
            self.file_of,
        )

    def __iter__(self) -> Iterator[GivenRow]:
        return self.read(0)


def _fingerprint_of(dataset: Any) -> str:
    """Return what the library tells rows apart by; of a stream, a hash of all that makes them."""
    from datasets.fingerprint import Hasher

    told = getattr(dataset, "_fingerprint", None)
    return str(told or Hasher.hash(dataset._ex_iterable))  # noqa: SLF001 - there is no other way


def _of_dataset(dataset: Dataset | IterableDataset, start: int) -> Iterator[Row]:
    rest: Any = dataset.skip(start) if start else dataset
    # of a stream that tells no types nothing was ever a table
    change = unpadded(dataset.features.arrow_schema) if dataset.features else dict
    for columns in rest.iter(batch_size=READ_AT_ONCE):
        names = list(columns)
        for values in zip(*columns.values(), strict=True):
            yield change(dict(zip(names, values, strict=True)))
