"""Encoded rows as columns of a table: flat arrays of ids, and where each row ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from luthier.core.templates import IGNORED, Encoded

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset


class Columns:
    """Rows of one sequence each, or of several under names, to be written as one table."""

    def __init__(self) -> None:
        """Begin with none."""
        self._rows: dict[str, list[Encoded]] = {}
        self._numbers: list[int] = []
        self._absent = Encoded([], [])

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, number: int, row: dict[str, Encoded]) -> None:
        """Add a row, and its number among its source's rows."""
        for name in row.keys() - self._rows.keys():
            self._rows[name] = [self._absent] * len(self._numbers)
        for name, sequences in self._rows.items():
            sequences.append(row.get(name, self._absent))
        self._numbers.append(number)

    def rows(self) -> Iterator[dict[str, list[int]]]:
        """Yield the rows one by one, as the table has them, without their numbers."""
        for n in range(len(self)):
            row = {}
            for name, sequences in self._rows.items():
                before = f"{name}_" if name else ""
                row[f"{before}input_ids"] = sequences[n].ids
                row[f"{before}labels"] = sequences[n].labels
            yield row

    def table(self) -> pa.Table:
        """Return the rows as `input_ids` and `labels`, with their names before them, and `row`."""
        import pyarrow as pa

        columns: dict[str, Any] = {}
        for name, sequences in self._rows.items():
            before = f"{name}_" if name else ""
            ids, trained, ends = flattened(sequences)
            labels = ids.copy()
            labels[~trained] = IGNORED
            columns[f"{before}input_ids"] = pa.ListArray.from_arrays(ends, ids)
            columns[f"{before}labels"] = pa.ListArray.from_arrays(ends, labels)
        return pa.table({**columns, "row": pa.array(self._numbers, pa.int64())})


def flattened(rows: Sequence[Encoded]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ids of rows end to end, whether each is trained, and where each row begins.

    The last has one more than there are rows: where the last row ends.
    """
    import numpy as np

    ends = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row.ids) for row in rows], out=ends[1:])
    ids = np.fromiter(chain.from_iterable(row.ids for row in rows), np.int32, int(ends[-1]))
    runs = [run for row in rows for run in row.runs]
    counts = np.fromiter((count for count, _ in runs), np.int64, len(runs))
    trained = np.fromiter((kept for _, kept in runs), np.bool_, len(runs))
    return ids, np.repeat(trained, counts), ends


def digest(table: pa.Table) -> str:
    """Return a hash of all ids and labels, and of where one row ends and the next begins."""
    found = hashlib.sha256()
    for name in sorted(set(table.column_names) - {"row"}):
        column = table[name].combine_chunks()
        found.update(name.encode())
        found.update(column.flatten().to_numpy().tobytes())
        found.update(column.value_lengths().to_numpy().tobytes())
    return found.hexdigest()


def token_counts(dataset: Dataset) -> tuple[int, int]:
    """Return how many tokens the rows of a dataset have, and how many of them are trained."""
    import pyarrow.compute as pc

    tokens = trained = 0
    for table in dataset.with_format("arrow").iter(LENGTHS_AT_ONCE):
        for name in table.column_names:
            if name.endswith("labels"):
                labels = pc.list_flatten(table[name])
                tokens += len(labels)
                trained += pc.sum(pc.not_equal(labels, IGNORED)).as_py() or 0
    return tokens, trained


def lengths_of(dataset: Dataset) -> np.ndarray:
    """Return how many tokens each row of a dataset has."""
    import numpy as np
    import pyarrow.compute

    found = [
        pyarrow.compute.list_value_length(table["input_ids"]).to_numpy()
        for table in dataset.select_columns("input_ids").with_format("arrow").iter(LENGTHS_AT_ONCE)
    ]
    return np.concatenate(found) if found else np.zeros(0, np.int32)


LENGTHS_AT_ONCE = 10_000
