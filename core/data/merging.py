"""The rows of several datasets as one: mixed, and some of them held out for evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from luthier.core.data.columns import token_counts
from luthier.core.data.dataset import VALIDATION, Validation
from luthier.core.data.mixing import Numbers, mixed, weights_of
from luthier.core.data.origins import Origins
from luthier.core.data.prepared import PreparedData
from luthier.core.data.shards import Counts, Shard
from luthier.core.data.standard import Aligned
from luthier.core.errors import BadData
from luthier.core.problems import counted
from luthier.core.runfile import Run

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray


class NothingLeft(BadData):
    """No row of some datasets is left: all were dropped."""

    def __init__(self, counts: Counts, limit: int) -> None:
        """Word it; `counts` tells what became of the rows."""
        self.counts = counts
        super().__init__(
            f"no row is left: all are longer than {limit} tokens. Raise `encoding.max_length`."
            if counts.too_long else "no row is left: all were dropped as bad. Look at the data."
        )  # fmt: skip


class Part(NamedTuple):
    """A shard of a dataset."""

    dataset: int
    """The number of the dataset among those that are put together."""
    aligned: Aligned
    shard: Shard
    rows: Dataset


def merged(parts: Iterable[Part], run: Run) -> PreparedData:
    """Return the rows of all shards in the order that they are trained in.

    Args:
        parts: the shards of all datasets, in the order of the run file.
        run: the resolved run; it says how they are mixed, and how many are held out.

    Raises:
        BadData: no row is left.
    """
    together, owners = _together(parts, run)
    chosen, validation = np.arange(together.rows), {}
    if run.validation.holds_out:
        sources = together.dataset.with_format("numpy")["row"][:]
        held = held_out(owners, sources, run.validation, run.training.seed)
        told = Counts(read=int(held.sum()))
        validation[VALIDATION] = _selected(together, np.flatnonzero(held), told)
        chosen = np.flatnonzero(~held)
    order = _mixed_order(owners[chosen], run)
    if order is None and not validation:
        return together
    chosen = chosen if order is None else chosen[order]
    found = _selected(together, chosen, together.counts)
    return replace(found, rejected=together.rejected, validation=validation)


def set_apart(parts: Iterable[Part], run: Run) -> PreparedData:
    """Return the rows of all shards one after the other, as a model is evaluated on them.

    Raises:
        BadData: no row is left.
    """
    return _together(parts, run)[0]


def held_out(
    datasets: NDArray[np.int64], rows: NDArray[np.int64], validation: Validation, seed: int
) -> NDArray[np.bool_]:
    """Return which encoded rows are held out, the same for the same arguments; of shape (N,).

    What was made of one row of a source, as a text that goes on in a new row, stays together.

    Args:
        datasets: of each encoded row the number of its dataset, of shape (N,).
        rows: of each its row there, of shape (N,).
        validation: the share or the number of the sources' rows to hold out.
        seed: of the choice.

    Raises:
        BadData: nothing would be left to train on.
    """
    pairs = np.stack([datasets, rows], axis=1)
    distinct, number = np.unique(pairs, axis=0, return_inverse=True)
    total = len(distinct)
    count = validation.count or max(1, round((validation.share or 0) * total))
    if count >= total:
        raise BadData(
            f"{counted(count, 'row is', 'rows are')} to be held out for validation, and there are "
            f"{total:,}. Lower `validation`, or name a dataset of its own there."
        )
    chosen = np.zeros(total, np.bool_)
    # the second number keeps the choice apart from other draws of the same seed
    chosen[np.random.default_rng([seed, 1]).permutation(total)[:count]] = True
    return chosen[number.reshape(-1)]


def _together(parts: Iterable[Part], run: Run) -> tuple[PreparedData, NDArray[np.int64]]:
    """Return all rows as they stand, and of each the number of its dataset."""
    import datasets

    counts, rejected, digests = Counts(), [], hashlib.sha256()
    kept: list[Part] = []
    for part in parts:
        counts += part.shard.counts
        digests.update(part.shard.digest.encode())
        rejected += [part.aligned.told(**one) for one in part.shard.rejected]
        if part.shard.counts.rows:
            kept.append(part)
    if not kept:
        raise NothingLeft(counts, run.encoding.max_length)
    rows = datasets.concatenate_datasets([part.rows for part in kept])
    owners = np.repeat([part.dataset for part in kept], [part.shard.counts.rows for part in kept])
    # kept while the model trains, so as narrow as will do
    origins = Origins(rows, owners.astype(np.int16), {p.dataset: p.aligned for p in kept})
    return PreparedData(rows, counts, digests.hexdigest(), rejected, origins=origins), owners


def _selected(whole: PreparedData, numbers: NDArray[np.int64], counts: Counts) -> PreparedData:
    """Return some of the rows, in an order; `counts` tells what else became of those read."""
    rows = whole.dataset.select(numbers)
    tokens, trained = token_counts(rows)
    counts = replace(counts, rows=len(rows), tokens=tokens, trained_tokens=trained)
    digest = hashlib.sha256(whole.fingerprint.encode())
    digest.update(numbers.astype(np.int64).tobytes())
    origins = whole.origins and whole.origins.selected(rows, numbers)
    return PreparedData(rows, counts, digest.hexdigest(), origins=origins)


def _mixed_order(owners: NDArray[np.int64], run: Run) -> Numbers | None:
    """Return the order of rows that stand one after the other; None where it is this one."""
    sections = [spec.section for spec in run.data]
    if run.mix.strategy == "concatenate" and all(section.repeat == 1 for section in sections):
        return None
    lengths = np.bincount(owners, minlength=len(sections)).tolist()
    for spec, length in zip(run.data, lengths, strict=True):
        if not length:
            raise BadData(
                f"{spec}: no row of it is left to train on: all were left out, or are held out for "
                "validation. Leave it out of `data`."
            )
    order = mixed(
        lengths, run.mix.strategy, run.training.seed,
        weights=weights_of(sections), repeats=[one.repeat for one in sections],
    )  # fmt: skip
    before = np.cumsum([0, *lengths])
    found: Numbers = before[order[:, 0]] + order[:, 1]
    return found
