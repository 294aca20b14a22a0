"""One dataset of a run, from the rows of its source to encoded ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from luthier.core.data.columns import Columns, field_of
from luthier.core.data.encoding import EncodedRow, Encoder
from luthier.core.data.lengths import LengthLimit, TooLong, length_of, trained_count
from luthier.core.data.rows import GivenRow
from luthier.core.data.shards import Counts, Shard
from luthier.core.data.standard import Aligned, BadValue, StandardRow
from luthier.core.wiring import first_answer

if TYPE_CHECKING:
    import pluggy

    from luthier.core.model.opening import LocatedModel
    from luthier.core.runfile import Run
    from luthier.core.templates import Encoded

BATCH = 500
"""Rows rendered and encoded at once."""


class SeenRow(NamedTuple):
    """A row: as its format made it, and as the stage encoded that."""

    number: int
    """Its place in the source, from 1."""
    standard: StandardRow | BadValue
    encoded: EncodedRow


class DataWorker:
    """Reads, aligns and encodes one dataset of a run (paper, section 3.2)."""

    def __init__(
        self,
        aligned: Aligned,
        run: Run,
        located: LocatedModel,
        manager: pluggy.PluginManager,
    ) -> None:
        """Take a dataset; none of its rows is encoded yet."""
        self.spec, self.limit, self.manager = aligned.spec, LengthLimit.of(run), manager
        self.aligned = aligned
        self.encoder = Encoder(located.template, located.tokenizer, run.encoding)

    def read(self, start: int = 0) -> Iterator[SeenRow]:
        """Yield the rows of the source, from one of them on, as the stage encodes them."""
        source = self.aligned.rows.read(start)
        while batch := list(islice(source, BATCH)):
            yield from self._seen(range(start, start + len(batch)), batch)
            start += len(batch)

    def streamed(
        self, numbers: Sequence[int], rows: Sequence[GivenRow], shard: Shard
    ) -> Iterator[list[dict[str, list[int]]]]:
        """Yield what becomes of each of some rows of the source: rows as the trainer takes them.

        Args:
            numbers: the number of each row in the source, which counts from 0.
            rows: as the source gave them.
            shard: what became of them is added here.
        """
        counts, seen = shard.counts, self._seen(numbers, rows)
        counts.read += len(seen)
        missing, left_out = self.encoder.thoughts.counted(row.standard for row in seen)
        counts.thoughtless += missing
        counts.unprinted += left_out
        for row in seen:
            parts = self._parts(row, shard)
            counts.rows += len(parts)
            counts.tokens += sum(len(one.ids) for part in parts for one in part.values())
            counts.trained_tokens += sum(trained_count(o) for part in parts for o in part.values())
            yield [_fields(part) for part in parts]

    def made(self, start: int, rows: Sequence[GivenRow]) -> tuple[Columns, Shard]:
        """Return what becomes of neighbouring rows of the source.

        Args:
            start: the number of the first of them, which counts from 0.
            rows: as the source gave them.

        Raises:
            BadRow: one is bad, and that is an error.
        """
        seen = self._seen(range(start, start + len(rows)), rows)
        shard = Shard(Counts(read=len(rows)))
        columns = None
        if not any(isinstance(row.encoded, BadValue) for row in seen):
            columns = Columns.of([row.number - 1 for row in seen], [row.encoded for row in seen])  # type: ignore[misc]
        if columns is None or not columns.fit(self.limit.tokens):
            kept = [(row.number - 1, part) for row in seen for part in self._parts(row, shard)]
            columns = Columns.of([number for number, _ in kept], [part for _, part in kept])
        counts, standard = shard.counts, [row.standard for row in seen]
        counts.rows = len(columns.numbers)
        counts.tokens, counts.trained_tokens = columns.token_counts()
        counts.thoughtless, counts.unprinted = self.encoder.thoughts.counted(standard)
        return columns, shard

    def _seen(self, numbers: Sequence[int], rows: Sequence[GivenRow]) -> list[SeenRow]:
        """Return rows as the format makes them and as the stage encodes that."""
        standard = list(self.aligned.made(numbers, rows))
        encoder = self.encoder
        found = first_answer(
            self.manager, "encode_dataset",
            dataset=[row for row in standard if not isinstance(row, BadValue)],
            template=encoder.template, tokenizer=encoder.tokenizer, encoder=encoder,
        )  # fmt: skip
        made = iter(found)
        return [
            SeenRow(number + 1, row, row if isinstance(row, BadValue) else next(made))
            for number, row in zip(numbers, standard, strict=True)
        ]

    def _parts(self, seen: SeenRow, shard: Shard) -> list[dict[str, Encoded]]:
        """Return what of a row is trained on; what is left out of it is told to a shard.

        Raises:
            BadRow: it is bad, and that is an error.
        """
        number, _, row = seen
        try:
            if isinstance(row, BadValue):
                raise row
            parts = list(self.limit.fitting(row))
        except BadValue as fault:
            if isinstance(fault, TooLong) or self.spec.section.bad_rows == "error":
                raise self.aligned.fault(number - 1, fault) from fault
            shard.counts.bad += 1
            shard.rejected.append({"row": number, "problem": fault.problem})
            return []
        if not parts:
            shard.counts.too_long += 1
            shard.rejected.append({"row": number, "problem": "it is too long"})
        elif length_of(row) > self.limit.tokens:
            shard.counts.cut += 1
        return parts


def _fields(row: Mapping[str, Encoded]) -> dict[str, list[int]]:
    """Return a row as the trainer takes it."""
    found = {}
    for name, one in row.items():
        found[field_of(name, "input_ids")] = one.ids
        found[field_of(name, "labels")] = one.labels
    return found
