"""The rows that a run trains on and is evaluated on, and what is to be told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from luthier.core.data.shards import Counts


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
    validation: Mapping[str, PreparedData] = field(default_factory=dict)
    """What the model is evaluated on, by name."""

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

    @property
    def fingerprints(self) -> dict[str, str]:
        """The hashes of what is trained on and, by name, of what is evaluated on."""
        return {"": self.fingerprint, **{k: v.fingerprint for k, v in self.validation.items()}}

    def facts(self) -> dict[str, Any]:
        """Return what the manifest keeps."""
        counts = vars(self.counts)
        dropped = self.counts.too_long + self.counts.bad
        told = {**counts, "dropped": dropped, "fingerprint": self.fingerprint}
        sets = {name: one.facts() for name, one in self.validation.items()}
        return {**told, "validation": sets} if sets else told
