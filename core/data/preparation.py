"""From the datasets of a run to encoded rows: aligned, merged, encoded, measured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from luthier.core.data.dataset import standardized
from luthier.core.data.thoughts import left_out, thoughtless
from luthier.core.errors import BadData, TemplateError
from luthier.core.model.opening import LocatedModel
from luthier.core.runfile import Run
from luthier.core.templates import IGNORED
from luthier.core.wiring import first_answer

if TYPE_CHECKING:
    import pluggy
    from datasets import Dataset


@dataclass(frozen=True)
class PreparedData:
    """The rows that a run trains on, and what is to be told of them."""

    dataset: Dataset
    rows: int
    tokens: int
    trained_tokens: int
    dropped: int
    """Rows left out because they are longer than `encoding.max_length`."""
    thoughtless: int
    """Rows whose answers hold no thoughts, where the template is one of thoughts."""
    unprinted: int
    """Rows whose answers hold thoughts that the template leaves out."""
    fingerprint: str
    """A hash of all ids and labels, in order."""

    def __str__(self) -> str:
        text = (
            f"{self.rows:,} rows, {self.tokens:,} tokens, {self.trained_tokens:,} of them trained"
        )
        return text + (f"; {self.dropped:,} rows dropped as too long" if self.dropped else "")

    def facts(self) -> dict[str, Any]:
        """Return what the manifest keeps."""
        return {k: v for k, v in vars(self).items() if k != "dataset"}


def prepare(run: Run, located: LocatedModel, manager: pluggy.PluginManager) -> PreparedData:
    """Return the encoded rows of all datasets of a run, one after the other.

    Args:
        run: the resolved run.
        located: its model; only tokenizer and template are used.
        manager: the run's stage among others, which answers `encode_dataset`.

    Raises:
        BadData: a source or a row is not what is declared.
        TemplateError: the template refuses a row, or the tokenizer lacks a token of it.
    """
    import datasets

    parts, without, unprinted = [], 0, 0
    for spec in run.data:
        aligned = standardized(spec)
        without += thoughtless(aligned, located.template)
        unprinted += left_out(aligned, located.template)
        parts.append(_checked(_encoded(aligned, str(spec), located, manager), str(spec), run))
    merged = datasets.concatenate_datasets([kept for kept, _ in parts])
    if len(merged) == 0:
        raise BadData(
            f"no row is left: all are longer than {run.encoding.max_length} tokens. "
            "Raise `encoding.max_length`."
        )
    return PreparedData(
        dataset=merged,
        rows=len(merged),
        tokens=int(_lengths(merged, "input_ids").sum()),
        trained_tokens=int(_trained(merged).sum()),
        dropped=sum(dropped for _, dropped in parts),
        thoughtless=without,
        unprinted=unprinted,
        fingerprint=_fingerprint(merged),
    )


def _encoded(
    rows: Dataset, name: str, located: LocatedModel, manager: pluggy.PluginManager
) -> Dataset:
    """Return what the stage makes of the rows; what the template refuses is told with its file."""
    try:
        return first_answer(
            manager, "encode_dataset",
            dataset=rows, template=located.template, tokenizer=located.tokenizer,
        )  # fmt: skip
    except TemplateError as fault:
        raise TemplateError(f"{name}: {fault}") from fault


def _fingerprint(rows: Dataset) -> str:
    """Return a hash of all ids and labels, and of where one row ends and the next begins."""
    digest = hashlib.sha256()
    for column in ("input_ids", "labels"):
        digest.update(_flat(rows, column).tobytes())
    digest.update(_lengths(rows, "input_ids").tobytes())
    return digest.hexdigest()


def _checked(encoded: Dataset, name: str, run: Run) -> tuple[Dataset, int]:
    """Return the rows that fit and how many do not; a row with nothing to learn is an error."""
    import numpy as np

    lengths = _lengths(encoded, "input_ids")
    trained = _trained(encoded)
    ends = np.cumsum(lengths)
    counts = np.concatenate([[0], np.cumsum(trained)])
    per_row = counts[ends] - counts[ends - lengths]
    if (per_row == 0).any():
        row = int(np.argmax(per_row == 0)) + 1
        raise BadData(
            f"{name}, row {row}: no token of it is trained, as its answer is empty. "
            "Give the row an answer, or leave it out."
        )
    limit = run.encoding.max_length
    too_long = lengths > limit
    if too_long.any() and run.encoding.overflow == "error":
        row = int(np.argmax(too_long)) + 1
        raise BadData(
            f"{name}, row {row}: it has {lengths[row - 1]} tokens, and encoding.max_length is "
            f"{limit} ({int(too_long.sum())} of {len(lengths)} rows are longer). "
            "Raise `encoding.max_length`, or leave long rows out: `encoding.overflow=drop`."
        )
    if not too_long.any():
        return encoded, 0
    return encoded.select(np.flatnonzero(~too_long)), int(too_long.sum())


def _trained(rows: Dataset) -> Any:
    """Return for each token whether it is trained; the first of a row has nothing before it."""
    import numpy as np

    lengths = _lengths(rows, "labels")
    trained = _flat(rows, "labels") != IGNORED
    trained[np.cumsum(lengths) - lengths] = False
    return trained


def _lengths(rows: Dataset, column: str) -> Any:
    import pyarrow.compute

    table = rows.with_format("arrow")[:]
    return pyarrow.compute.list_value_length(table[column]).to_numpy()


def _flat(rows: Dataset, column: str) -> Any:
    """Return the values of a list column end to end, as one numpy array."""
    import pyarrow.compute

    table = rows.with_format("arrow")[:]
    return pyarrow.compute.list_flatten(table[column]).to_numpy()
