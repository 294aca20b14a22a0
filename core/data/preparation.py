"""From the datasets of a run to encoded rows: aligned, encoded, measured, kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from filelock import FileLock

from luthier.core.data import production
from luthier.core.data.dataset import standardized
from luthier.core.data.keys import key_of
from luthier.core.data.mixing import Numbers, mixed
from luthier.core.data.shards import Counts, Shard, Store
from luthier.core.data.worker import DataWorker
from luthier.core.errors import BadData
from luthier.core.model.opening import LocatedModel
from luthier.core.runfile import Run

if TYPE_CHECKING:
    import pluggy
    from datasets import Dataset

Told = Callable[[str, int], None]
"""Is told of a dataset how many of its rows are prepared."""


@dataclass(frozen=True)
class PreparedData:
    """The rows that a run trains on, and what is to be told of them."""

    dataset: Any
    """The encoded rows, a dataset of the library; or such as are streamed."""
    counts: Counts
    """What became of the rows; of a stream nothing is known yet."""
    fingerprint: str
    """A hash of all ids and labels, in order."""
    rejected: list[dict[str, Any]] = field(default_factory=list)
    """The rows that were left out: dataset, place, problem."""
    notes: list[str] = field(default_factory=list)
    """What formats found out of rows, such as what they took them for, and why."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.counts.rows

    def __str__(self) -> str:
        counts = self.counts
        if not counts.read:
            return str(self.dataset)
        text = (
            f"{counts.rows:,} rows, {counts.tokens:,} tokens, "
            f"{counts.trained_tokens:,} of them trained"
        )
        for count, said in (
            (counts.too_long, "dropped as too long"),
            (counts.bad, "dropped as bad"),
            (counts.cut, "cut"),
        ):
            text += f"; {count:,} rows {said}" if count else ""
        return text

    def facts(self) -> dict[str, Any]:
        """Return what the manifest keeps."""
        counts = vars(self.counts)
        dropped = self.counts.too_long + self.counts.bad
        return {**counts, "dropped": dropped, "fingerprint": self.fingerprint}


def prepare(
    run: Run, located: LocatedModel, manager: pluggy.PluginManager, tell: Told | None = None
) -> PreparedData:
    """Return the encoded rows of all datasets of a run, one after the other.

    What was prepared once, of the same rows by the same means, is taken from the user's cache; a
    preparation that was stopped goes on behind its last whole shard.

    Args:
        run: the resolved run.
        located: its model; only tokenizer and template are used.
        manager: the run's stage among others, which answers `encode_dataset`.
        tell: is told how far it is.

    Raises:
        BadData: a source or a row is not what is declared.
        TemplateError: the tokenizer lacks a token of the template.
    """
    notes: list[str] = []
    workers = _workers(run, located, manager, notes)
    if run.mix.streaming:
        return replace(_streamed(list(workers), run, located), notes=notes)
    parts: list[_Part] = []
    for number, one in enumerate(workers):
        store = Store(key_of(run, one.spec, one.aligned, located))
        store.folder.mkdir(parents=True, exist_ok=True)
        # of several processes one prepares; the others wait here, and find it done
        with FileLock(store.folder.with_suffix(".lock")):
            parts += (
                _Part(number, shard, store.dataset(n))
                for n, shard in enumerate(_shards(one, store, tell))
            )
    return replace(_merged(parts, run), notes=notes)


def _workers(
    run: Run, located: LocatedModel, manager: pluggy.PluginManager, notes: list[str]
) -> Iterator[DataWorker]:
    """Yield what prepares each dataset; what its format has to say is added to the notes."""
    for spec in run.data:
        aligned = standardized(spec)
        if aligned.note:
            notes.append(f"{spec}: {aligned.note}")
        yield DataWorker(aligned, run, located, manager)


def _streamed(workers: Sequence[DataWorker], run: Run, located: LocatedModel) -> PreparedData:
    from luthier.core.training.streaming import StreamedRows

    keys = [key_of(run, one.spec, one.aligned, located) for one in workers]
    told = json.dumps([keys, run.mix.model_dump(mode="json")], sort_keys=True, default=str)
    rows = StreamedRows(workers, run.mix, run.training.seed)
    return PreparedData(rows, Counts(), hashlib.sha256(told.encode()).hexdigest())


def _merged(parts: Sequence[_Part], run: Run) -> PreparedData:
    import datasets

    counts, rejected, digests = Counts(), [], hashlib.sha256()
    for number, shard, _ in parts:
        counts += shard.counts
        digests.update(shard.digest.encode())
        rejected += [{"dataset": str(run.data[number]), **one} for one in shard.rejected]
    kept = [rows for _, shard, rows in parts if shard.counts.rows]
    if not kept:
        raise BadData(
            f"no row is left: all are longer than {run.encoding.max_length} tokens. "
            "Raise `encoding.max_length`."
            if counts.too_long else "no row is left: all were dropped as bad. Look at the data."
        )  # fmt: skip
    merged = datasets.concatenate_datasets(kept)
    sections = [spec.section for spec in run.data]
    if run.mix.strategy != "concatenate" or any(section.repeat != 1 for section in sections):
        merged = merged.select(_order(parts, run))
        digests.update(repr(run.mix).encode())
        counts.rows = len(merged)
    return PreparedData(merged, counts, digests.hexdigest(), rejected)


def _order(parts: Sequence[_Part], run: Run) -> Numbers:
    """Return the rows of all datasets, as they stand one after the other, in their mixed order."""
    import numpy as np

    sections = [spec.section for spec in run.data]
    lengths = [0] * len(sections)
    for number, shard, _ in parts:
        lengths[number] += shard.counts.rows
    weights = [one.weight for one in sections]
    order = mixed(
        lengths, run.mix.strategy, run.training.seed,
        weights=[one or 1 for one in weights] if any(weights) else None,
        repeats=[one.repeat for one in sections],
    )  # fmt: skip
    before = np.cumsum([0, *lengths])
    return before[order[:, 0]] + order[:, 1]


class _Part(NamedTuple):
    """A shard of a dataset."""

    dataset: int
    """The number of the dataset in the run file."""
    shard: Shard
    rows: Dataset


def _shards(one: DataWorker, store: Store, tell: Told | None) -> Iterator[Shard]:
    """Yield a dataset's shards, those that are there and then new ones."""
    number, shard = 0, None
    for shard in store:
        number += 1
        yield shard
    if shard is not None and shard.last:
        return
    for columns, made in production.shards(one, number * production.ROWS):
        yield store.write(number, columns.table(), made)
        if tell is not None:
            tell(str(one.spec), number * production.ROWS + made.counts.read)
        number += 1
