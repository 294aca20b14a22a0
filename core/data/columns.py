"""Encoded rows as columns of a table: flat arrays of ids, and how long each row is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.templates import IGNORED, Encoded

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset


class Flat(NamedTuple):
    """Sequences end to end."""

    ids: np.ndarray
    trained: np.ndarray
    """For each id whether the loss counts it."""
    lengths: np.ndarray
    """How many ids each sequence has."""

    @classmethod
    def of(cls, sequences: Sequence[Encoded]) -> Flat:
        """Return sequences end to end."""
        import numpy as np

        lengths = np.fromiter((len(one.ids) for one in sequences), np.int32, len(sequences))
        ids = chain.from_iterable([one.ids for one in sequences])
        runs = [run for one in sequences for run in one.runs]
        counts = np.fromiter((count for count, _ in runs), np.int64, len(runs))
        kept = np.fromiter((trained for _, trained in runs), np.bool_, len(runs))
        return cls(np.fromiter(ids, np.int32, int(lengths.sum())), np.repeat(kept, counts), lengths)

    def trained_counts(self) -> np.ndarray:
        """Return how many tokens of each the loss counts; the first has nothing before it."""
        import numpy as np

        ends = np.cumsum(self.lengths)
        before = np.concatenate([[0], np.cumsum(self.trained)])
        begins = ends - self.lengths
        found: np.ndarray = before[ends] - before[begins]
        filled = self.lengths > 0
        found[filled] -= self.trained[begins[filled]]
        return found

    def trained_count(self) -> int:
        """Return how many tokens the loss counts in all."""
        begins = (self.lengths.cumsum() - self.lengths)[self.lengths > 0]
        return int(self.trained.sum()) - int(self.trained[begins].sum())


class Columns(NamedTuple):
    """Rows of one sequence each, or of several under names, to be written as one table."""

    numbers: np.ndarray
    """Of each row, its number among its source's rows."""
    sequences: dict[str, Flat]

    @classmethod
    def of(cls, numbers: Sequence[int], rows: Sequence[Mapping[str, Encoded]]) -> Columns:
        """Return rows, and their numbers among their source's rows, as columns."""
        import numpy as np

        absent = Encoded([], [])
        names = dict.fromkeys(chain.from_iterable(rows))
        flat = {name: Flat.of([row.get(name, absent) for row in rows]) for name in names}
        return cls(np.array(numbers, np.int64), flat)

    def fit(self, limit: float) -> bool:
        """Return whether no row is longer than a limit, and of each sequence a token is trained."""
        import numpy as np

        return all(
            np.all(one.lengths <= limit) and np.all((one.trained_counts() > 0) | (one.lengths == 0))
            for one in self.sequences.values()
        )

    def token_counts(self) -> tuple[int, int]:
        """Return how many tokens there are, and how many of them the loss counts."""
        flat = self.sequences.values()
        tokens = sum(len(one.ids) for one in flat)
        return tokens, sum(one.trained_count() for one in flat)

    def table(self) -> pa.Table:
        """Return the rows as `input_ids` and `labels`, with their names before them, and `row`."""
        import numpy as np
        import pyarrow as pa

        columns: dict[str, Any] = {}
        for name, (ids, trained, lengths) in self.sequences.items():
            ends = np.zeros(len(lengths) + 1, np.int32)
            np.cumsum(lengths, out=ends[1:])
            found = {"input_ids": ids, "labels": np.where(trained, ids, np.int32(IGNORED))}
            for field, values in found.items():
                columns[field_of(name, field)] = pa.ListArray.from_arrays(ends, values)
        return pa.table({**columns, "row": pa.array(self.numbers, pa.int64())})


def field_of(name: str, field: str) -> str:
    """Return what a field of a sequence is called, where a row has several under names."""
    return f"{name}_{field}" if name else field


def unfolded(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the sequences of rows as rows of `input_ids` and `labels`.

    Of rows with several under names all of the first name come first: of preferences the chosen
    answers, then the rejected ones in the same order. An empty one is left out.
    """
    named = [name.removesuffix("input_ids") for name in (rows[0] if rows else ()) if _has_ids(name)]
    return [
        {field: row[name + field] for field in ("input_ids", "labels")}
        for name in named for row in rows if len(row[name + "input_ids"])
    ]  # fmt: skip


def tokens_in(row: Mapping[str, Sequence[int]]) -> int:
    """Return how many tokens a row has in all its sequences."""
    return sum(len(values) for name, values in row.items() if _has_ids(name))


def _has_ids(name: str) -> bool:
    return name.endswith("input_ids")


def joined(parts: Sequence[Columns]) -> Columns:
    """Return columns one after the other; a sequence that one has not is empty in its rows."""
    import numpy as np

    def all_of(name: str) -> Iterable[Flat]:
        for part in parts:
            nothing = Flat(
                np.zeros(0, np.int32), np.zeros(0, np.bool_), np.zeros(len(part.numbers), np.int32)
            )
            yield part.sequences.get(name, nothing)

    names = dict.fromkeys(chain.from_iterable(part.sequences for part in parts))
    return Columns(
        np.concatenate([np.zeros(0, np.int64), *(part.numbers for part in parts)]),
        {name: Flat(*map(np.concatenate, zip(*all_of(name), strict=True))) for name in names},
    )


def digest(table: pa.Table) -> str:
    """Return a hash of all ids and labels, and of where one row ends and the next begins."""
    found = hashlib.sha256()
    for name in sorted(set(table.column_names) - {"row"}):
        chunks = table[name].chunks  # to put them together would copy them
        found.update(name.encode())
        for chunk in chunks:
            found.update(chunk.flatten().to_numpy())
        for chunk in chunks:
            found.update(chunk.value_lengths().to_numpy())
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
    """Return how many tokens each row of a dataset has in all its sequences."""
    import numpy as np
    import pyarrow.compute as pc

    names = [*filter(_has_ids, dataset.column_names)]
    found = [
        # a sequence that no row of its shard has is null there
        sum(pc.fill_null(pc.list_value_length(table[name]), 0).to_numpy() for name in names)
        for table in dataset.select_columns(names).with_format("arrow").iter(LENGTHS_AT_ONCE)
    ]
    return np.concatenate(found) if found else np.zeros(0, np.int32)


LENGTHS_AT_ONCE = 10_000
