"""One dataset of a run, from the rows of its source to encoded ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from luthier.core.data.columns import Columns
from luthier.core.data.encoding import EncodedRow, Encoder
from luthier.core.data.lengths import TooLong, fitting, trained_count
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
        source = self.aligned.read(start)
        while batch := list(islice(source, BATCH)):
            for standard, encoded in zip(batch, self._encoded(batch), strict=True):
                start += 1
                yield SeenRow(start, standard, encoded)

    def shard(self, start: int) -> tuple[Columns, Shard]:
        """Return what becomes of the next rows of the source, from one of them on."""
        columns, shard = Columns(), Shard(Counts(), "", last=False)
        counts = shard.counts
        for row in islice(self.read(start), ROWS):
            self._take(row, columns, shard)
            if not isinstance(row.standard, BadValue):
                counts.thoughtless += self.thoughts.are_missing(row.standard)
                counts.unprinted += self.thoughts.are_left_out(row.standard)
            counts.read += 1
        counts.rows = len(columns)
        shard.last = counts.read < ROWS
        return columns, shard

    def __iter__(self) -> Iterator[dict[str, list[int]]]:
        """Yield the rows as the trainer takes them, read and encoded as they are asked for."""
        for row in self.read():
            columns = Columns()
            self._take(row, columns, Shard(Counts(), "", last=False))
            yield from columns.rows()

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
        """Add a row to the columns, or to what is rejected.

        Raises:
            BadRow: it is bad, and that is an error.
        """
        number, _, row = seen
        counts, taken = shard.counts, 0
        try:
            if isinstance(row, BadValue):
                raise row
            for part in fitting(row, self.section):
                columns.add(number - 1, part)
                counts.tokens += sum(len(one.ids) for one in part.values())
                counts.trained_tokens += sum(map(trained_count, part.values()))
                taken += 1
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
