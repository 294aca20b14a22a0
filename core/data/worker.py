"""One dataset of a run, from the rows of its source to encoded ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from luthier.core.data.columns import Columns
from luthier.core.data.dataset import DatasetSpec, standardized
from luthier.core.data.encoding import EncodedRow, Encoder
from luthier.core.data.lengths import TooLong, fitting, trained_count
from luthier.core.data.shards import Counts, Shard
from luthier.core.data.standard import BadValue, StandardRow
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


class DataWorker:
    """Reads, aligns and encodes one dataset of a run (paper, section 3.2)."""

    def __init__(
        self, spec: DatasetSpec, run: Run, located: LocatedModel, manager: pluggy.PluginManager
    ) -> None:
        """Open a dataset; none of its rows is encoded yet."""
        self.spec, self.section, self.manager = spec, run.encoding, manager
        self.aligned = standardized(spec)
        self.encoder = Encoder(located.template, located.tokenizer, run.encoding)
        self.thoughts = Thoughts(located.template)

    def shard(self, start: int) -> tuple[Columns, Shard]:
        """Return what becomes of the next rows of the source, from one of them on."""
        columns, shard = Columns(), Shard(Counts(), "", last=False)
        source = self.aligned.read(start)
        at, end = start, start + ROWS
        while batch := list(islice(source, min(BATCH, end - at))):
            for number, row in enumerate(self._encoded(batch, shard.counts), at):
                self._take(number, row, columns, shard)
            at += len(batch)
        shard.counts.read = at - start
        shard.counts.rows = len(columns)
        shard.last = at < end or next(source, None) is None
        return columns, shard

    def __iter__(self) -> Iterator[dict[str, list[int]]]:
        """Yield the rows as the trainer takes them, read and encoded as they are asked for."""
        shard = Shard(Counts(), "", last=False)
        source, at = self.aligned.read(), 0
        while batch := list(islice(source, BATCH)):
            columns = Columns()
            for number, row in enumerate(self._encoded(batch, shard.counts), at):
                self._take(number, row, columns, shard)
            at += len(batch)
            yield from columns.table().drop_columns("row").to_pylist()

    def _encoded(self, batch: list[StandardRow | BadValue], counts: Counts) -> Iterator[EncodedRow]:
        """Yield the rows of a batch as the stage encodes them; bad ones as they are."""
        good = [row for row in batch if not isinstance(row, BadValue)]
        counts.thoughtless += sum(map(self.thoughts.are_missing, good))
        counts.unprinted += sum(map(self.thoughts.are_left_out, good))
        encoder = self.encoder
        found = first_answer(
            self.manager, "encode_dataset", dataset=good, template=encoder.template,
            tokenizer=encoder.tokenizer, encoder=encoder,
        )  # fmt: skip
        made = iter(found)
        for row in batch:
            yield row if isinstance(row, BadValue) else next(made)

    def _take(self, number: int, row: EncodedRow, columns: Columns, shard: Shard) -> None:
        """Add a row to the columns, or to what is rejected.

        Raises:
            BadRow: it is bad, and that is an error.
        """
        counts, taken = shard.counts, 0
        try:
            if isinstance(row, BadValue):
                raise row
            for part in fitting(row, self.section):
                columns.add(number, part)
                counts.tokens += sum(len(one.ids) for one in part.values())
                counts.trained_tokens += sum(map(trained_count, part.values()))
                taken += 1
        except BadValue as fault:
            if isinstance(fault, TooLong) or self.spec.section.bad_rows == "error":
                raise self.aligned.fault(number, fault) from fault
            counts.bad += 1
            shard.rejected.append({"row": number + 1, "problem": fault.problem})
            return
        whole = taken == 1 and max(len(one.ids) for one in row.values()) <= self.section.max_length
        if not taken:
            counts.too_long += 1
            shard.rejected.append({"row": number + 1, "problem": "it is too long"})
        elif not whole:
            counts.cut += 1
