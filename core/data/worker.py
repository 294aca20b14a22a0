"""One dataset of a run, from the rows of its source to encoded ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from luthier.core.data.columns import Columns
from luthier.core.data.encoding import EncodedRow, Encoder
from luthier.core.data.lengths import TooLong, fitting, trained_count
from luthier.core.data.rows import Row
from luthier.core.data.shards import Counts, Shard
from luthier.core.data.standard import Aligned, BadValue, StandardRow
from luthier.core.data.thoughts import Thoughts
from luthier.core.wiring import first_answer

if TYPE_CHECKING:
    import pluggy

    from luthier.core.model.opening import LocatedModel
    from luthier.core.runfile import Run

BATCH = 500
"""Rows rendered and encoded at once."""
ROWS = 10_000
"""Rows of the source in one shard."""


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
        self.spec, self.section, self.manager = aligned.spec, run.encoding, manager
        self.aligned = aligned
        self.encoder = Encoder(located.template, located.tokenizer, run.encoding)
        self.thoughts = Thoughts(located.template)

    def read(self, start: int = 0) -> Iterator[SeenRow]:
        """Yield the rows of the source, from one of them on, as the stage encodes them."""
        source = enumerate(self.aligned.rows.read(start), start)
        while batch := list(islice(source, BATCH)):
            yield from self._seen(batch)

    def shard(self, start: int) -> tuple[Columns, Shard]:
        """Return what becomes of the next rows of the source, from one of them on."""
        columns, shard = Columns(), Shard(Counts(), "", last=False)
        counts = shard.counts
        for row in islice(self.read(start), ROWS):
            self._take(row, columns, shard)
        shard.last = counts.read < ROWS
        return columns, shard

    def made(
        self, rows: Sequence[tuple[int, Row]], shard: Shard
    ) -> Iterator[list[dict[str, list[int]]]]:
        """Yield what becomes of each of some rows of the source: rows as the trainer takes them.

        Args:
            rows: the rows, each with its number, which counts from 0.
            shard: what became of them is added here.
        """
        for row in self._seen(rows):
            columns = Columns()
            self._take(row, columns, shard)
            yield list(columns.rows())

    def _seen(self, rows: Sequence[tuple[int, Row]]) -> Iterator[SeenRow]:
        batch = [self.aligned.standard(number, row) for number, row in rows]
        for (number, _), one, encoded in zip(rows, batch, self._encoded(batch), strict=True):
            yield SeenRow(number + 1, one, encoded)

    def _encoded(self, batch: Sequence[StandardRow | BadValue]) -> Iterator[EncodedRow]:
        """Yield the rows of a batch as the stage encodes them; bad ones as they are."""
        encoder = self.encoder
        found = first_answer(
            self.manager, "encode_dataset",
            dataset=[row for row in batch if not isinstance(row, BadValue)],
            template=encoder.template, tokenizer=encoder.tokenizer, encoder=encoder,
        )  # fmt: skip
        made = iter(found)
        for row in batch:
            yield row if isinstance(row, BadValue) else next(made)

    def _take(self, seen: SeenRow, columns: Columns, shard: Shard) -> None:
        """Add a row to the columns, or to what is rejected, and count it.

        Raises:
            BadRow: it is bad, and that is an error.
        """
        number, standard, row = seen
        counts, taken = shard.counts, 0
        counts.read += 1
        if not isinstance(standard, BadValue):
            counts.thoughtless += self.thoughts.are_missing(standard)
            counts.unprinted += self.thoughts.are_left_out(standard)
        try:
            if isinstance(row, BadValue):
                raise row
            for part in fitting(row, self.section):
                columns.add(number - 1, part)
                counts.tokens += sum(len(one.ids) for one in part.values())
                counts.trained_tokens += sum(map(trained_count, part.values()))
                taken += 1
            counts.rows += taken
        except BadValue as fault:
            if isinstance(fault, TooLong) or self.spec.section.bad_rows == "error":
                raise self.aligned.fault(number - 1, fault) from fault
            counts.bad += 1
            shard.rejected.append({"row": number, "problem": fault.problem})
            return
        whole = taken == 1 and max(len(one.ids) for one in row.values()) <= self.section.max_length
        if not taken:
            counts.too_long += 1
            shard.rejected.append({"row": number, "problem": "it is too long"})
        elif not whole:
            counts.cut += 1
