"""The rows that a run trains on and is evaluated on, and what is to be told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from luthier.core.data.origins import Origins
from luthier.core.data.shards import Counts


@dataclass(frozen=True)
class PreparedData:
    """The rows that a run trains on, and what is to be told of them."""

    dataset: Any
    """The encoded rows, a dataset of the library; or such as are streamed."""
    counts: Counts
    """What became of the rows; of a stream nothing is known before the end."""
    fingerprint: str
    """A hash of all ids and labels, in order."""
    rejected: list[dict[str, Any]] = field(default_factory=list)
    """The rows that were left out, as `Aligned.told` has them."""
    notes: list[str] = field(default_factory=list)
    """What formats found out of rows, such as what they took them for, and why."""
    validation: Mapping[str, PreparedData] = field(default_factory=dict)
    """What the model is evaluated on, by name."""
    origins: Origins | None = None
    """Where each of the rows comes from; of a stream that is not kept."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.counts.rows

    def __str__(self) -> str:
        return str(self.counts) if self.counts.read else str(self.dataset)

    @property
    def fingerprints(self) -> dict[str, str]:
        """The hashes of what is trained on and, by name, of what is evaluated on."""
        return {"": self.fingerprint, **{k: v.fingerprint for k, v in self.validation.items()}}

    def facts(self) -> dict[str, Any]:
        """Return what the manifest keeps."""
        told = {**self.counts.facts(), "fingerprint": self.fingerprint}
        sets = {name: one.facts() for name, one in self.validation.items()}
        return {**told, "validation": sets} if sets else told
