"""From the datasets of a run to encoded rows: aligned, encoded, measured, kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from filelock import FileLock

from luthier.core.data import production
from luthier.core.data.dataset import VALIDATION, DatasetSpec, standardized
from luthier.core.data.keys import key_of
from luthier.core.data.merging import Part, merged, set_apart
from luthier.core.data.prepared import PreparedData
from luthier.core.data.shards import Counts, Shard, Store
from luthier.core.data.standard import Aligned
from luthier.core.data.worker import DataWorker
from luthier.core.model.opening import LocatedModel
from luthier.core.run.ranks import rank, world
from luthier.core.runfile import Run

if TYPE_CHECKING:
    import pluggy

Told = Callable[[str, int], None]
"""Is told of a dataset how many of its rows are prepared."""


def prepare(
    run: Run, located: LocatedModel, manager: pluggy.PluginManager, tell: Told | None = None
) -> PreparedData:
    """Return the encoded rows of all datasets of a run, those to be evaluated on apart.

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
    preparation = _Preparation(run, located, manager, tell)
    trained = preparation.streamed() if run.mix.streaming else preparation.mapped()
    sets = {name: preparation.of_set(spec) for name, spec in run.validation.sets.items()}
    validation = {**trained.validation, **sets}
    return replace(trained, notes=preparation.notes, validation=validation)


@dataclass(frozen=True)
class _Preparation:
    """What all datasets of a run are prepared with."""

    run: Run
    located: LocatedModel
    manager: pluggy.PluginManager
    tell: Told | None
    notes: list[str] = field(default_factory=list)
    """What formats have to say of the rows."""

    def mapped(self) -> PreparedData:
        """Return the training rows, all of them prepared and on the disk."""
        # each is opened when the one before it is prepared
        return merged(self._parts(self._aligned(spec) for spec in self.run.data), self.run)

    def of_set(self, spec: DatasetSpec) -> PreparedData:
        """Return the rows of a dataset that the model is evaluated on."""
        return set_apart(self._parts([self._aligned(spec)]), self.run)

    def streamed(self) -> PreparedData:
        """Return the training rows as a stream, but for the first ones where some are held out."""
        from luthier.core.training.streaming import Stream

        found = [self._aligned(spec) for spec in self.run.data]
        validation = {}
        if held := self.run.validation.count:
            counts = [len(range(n, held, len(found))) for n in range(len(found))]
            firsts = [one.first(count) for one, count in zip(found, counts, strict=True) if count]
            validation[VALIDATION] = set_apart(self._parts(firsts), self.run)
            found = [one.after(count) for one, count in zip(found, counts, strict=True)]
        mix = self.run.mix
        shares = [(one.section.weight, one.section.repeat) for one in self.run.data]
        told = [[self._key(one) for one in found], shares, mix.model_dump(mode="json")]
        text = json.dumps(told, sort_keys=True, default=str)
        workers = [self._worker(one) for one in found]
        rows = Stream(workers, mix, self.run.training.seed, (rank(), world()))
        fingerprint = hashlib.sha256(text.encode()).hexdigest()
        return PreparedData(rows, Counts(), fingerprint, validation=validation)

    def _aligned(self, spec: DatasetSpec) -> Aligned:
        aligned = standardized(spec)
        if aligned.note:
            self.notes.append(f"{spec}: {aligned.note}")
        return aligned

    def _worker(self, aligned: Aligned) -> DataWorker:
        return DataWorker(aligned, self.run, self.located, self.manager)

    def _key(self, aligned: Aligned) -> dict[str, object]:
        return key_of(self.run, aligned.spec, aligned, self.located)

    def _parts(self, datasets: Iterable[Aligned]) -> Iterator[Part]:
        """Yield the shards of datasets, made where they are not there."""
        for number, aligned in enumerate(datasets):
            store = Store(self._key(aligned))
            store.folder.mkdir(parents=True, exist_ok=True)
            # of several processes one prepares; the others wait here, and find it done
            with FileLock(store.folder.with_suffix(".lock")):
                for n, shard in enumerate(_shards(self._worker(aligned), store, self.tell)):
                    yield Part(number, aligned, shard, store.dataset(n))


def _shards(one: DataWorker, store: Store, tell: Told | None) -> Iterator[Shard]:
    """Yield a dataset's shards, those that are there and then new ones."""
    number, read, shard = 0, 0, None
    for shard in store:
        number += 1
        read += shard.counts.read
        yield shard
    if shard is not None and shard.last:
        return
    for columns, made in production.shards(one, read):
        yield store.write(number, columns.table(), made)
        read += made.counts.read
        if tell is not None:
            tell(str(one.spec), read)
        number += 1
