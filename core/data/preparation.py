"""From the datasets of a run to encoded rows: aligned, encoded, measured, kept."""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib import metadata
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from filelock import FileLock

from luthier.core.data.columns import Columns
from luthier.core.data.dataset import DatasetSpec, standardized
from luthier.core.data.encoding import EncodedRow, Encoder
from luthier.core.data.lengths import TooLong, fitting, trained_count
from luthier.core.data.shards import ROWS, Counts, Shard, Store
from luthier.core.data.standard import Aligned, BadValue, StandardRow
from luthier.core.data.thoughts import Thoughts
from luthier.core.errors import BadData
from luthier.core.model.opening import LocatedModel
from luthier.core.runfile import Run
from luthier.core.wiring import first_answer

if TYPE_CHECKING:
    import pluggy
    from datasets import Dataset

BATCH = 500
"""Rows rendered and encoded at once."""

Told = Callable[[str, int], None]
"""Is told of a dataset how many of its rows are prepared."""


@dataclass(frozen=True)
class PreparedData:
    """The rows that a run trains on, and what is to be told of them."""

    dataset: Dataset
    counts: Counts
    fingerprint: str
    """A hash of all ids and labels, in order."""
    rejected: list[dict[str, Any]] = field(default_factory=list)
    """The rows that were left out: dataset, place, problem."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.counts.rows

    def __str__(self) -> str:
        counts = self.counts
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
    works = (_Work(spec, run, located, manager) for spec in run.data)
    return _merged([one for work in works for one in work.prepared(run, located, tell)], run)


def _merged(parts: Sequence[_Part], run: Run) -> PreparedData:
    import datasets

    counts, rejected, digests = Counts(), [], hashlib.sha256()
    for name, shard, _ in parts:
        counts += shard.counts
        digests.update(shard.digest.encode())
        rejected += [{"dataset": name, **one} for one in shard.rejected]
    kept = [rows for _, shard, rows in parts if shard.counts.rows]
    if not kept:
        raise BadData(
            f"no row is left: all are longer than {run.encoding.max_length} tokens. "
            "Raise `encoding.max_length`."
            if counts.too_long else "no row is left: all were dropped as bad. Look at the data."
        )  # fmt: skip
    merged = datasets.concatenate_datasets(kept)
    return PreparedData(merged, counts, digests.hexdigest(), rejected)


class _Part(NamedTuple):
    """A shard of a dataset."""

    dataset: str
    shard: Shard
    rows: Dataset


def _shards(work: _Work, store: Store, tell: Told | None) -> Iterator[Shard]:
    """Yield a dataset's shards, those that are there and then new ones."""
    number, shard = -1, None
    for number, shard in enumerate(store):  # noqa: B007 (where it stopped)
        yield shard
    while shard is None or not shard.last:
        number += 1
        with _without_collection():
            columns, shard = work.shard(number * ROWS)
            shard = store.write(number, columns.table(), shard)
        yield shard
        if tell is not None:
            tell(str(work.spec), number * ROWS + shard.counts.read)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keep Python from looking for cycles among a shard's rows: it finds none, time and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Work:
    """The preparation of one dataset."""

    def __init__(
        self, spec: DatasetSpec, run: Run, located: LocatedModel, manager: pluggy.PluginManager
    ) -> None:
        self.spec, self.section, self.manager = spec, run.encoding, manager
        self.aligned: Aligned = standardized(spec)
        self.encoder = Encoder(located.template, located.tokenizer, run.encoding)
        self.thoughts = Thoughts(located.template)

    def prepared(self, run: Run, located: LocatedModel, tell: Told | None) -> Iterator[_Part]:
        """Yield the dataset's shards and their rows.

        Of several processes one prepares them; the others wait here and find it done.
        """
        store = Store(key_of(run, self.spec, self.aligned, located))
        store.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(store.folder.with_suffix(".lock")):
            for number, shard in enumerate(_shards(self, store, tell)):
                yield _Part(str(self.spec), shard, store.dataset(number))

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


def key_of(run: Run, spec: DatasetSpec, aligned: Aligned, located: LocatedModel) -> dict[str, Any]:
    """Return all that the encoded rows of a dataset depend on.

    Args:
        run: the resolved run.
        spec: the dataset.
        aligned: its rows; their fingerprint tells of the data.
        located: the model that they are encoded for.
    """
    from luthier.core.run.manifest import plugins_of

    template = located.template
    encoders = [one for one in run.selected if hasattr(one.plugin, "encode_dataset")]
    plugins = [spec.source, spec.format, *encoders]
    named = {(one.kind, one.name) for one in plugins}
    jinja = template.jinja() if template is not None else ""
    return {
        "rows": aligned.rows.fingerprint,
        "bad_rows": spec.section.bad_rows,
        "encoding": run.encoding.model_dump(mode="json"),
        "plugins": [one.plugin.model_dump(mode="json") for one in plugins],
        "versions": [one for one in plugins_of(run) if (one["kind"], one["name"]) in named],
        "libraries": [metadata.version(name) for name in ("luthier", "tokenizers", "transformers")],
        "template": template and [jinja, template.model_dump(mode="json")],
        "day": str(date.today()) if "strftime_now" in jinja else None,
        "tokenizer": _tokenizer_text(located.tokenizer),
    }


def _tokenizer_text(tokenizer: Any) -> str:
    """Return a hash of all that a tokenizer's ids depend on."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    rules = backend.to_str() if backend is not None else json.dumps(tokenizer.get_vocab())
    told = [type(tokenizer).__name__, rules, *map(str, tokenizer.all_special_tokens)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
