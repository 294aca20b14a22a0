"""What a stage is given to build a trainer from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from luthier.core.data.origins import Origins
from luthier.core.hooks import Collator, Items
from luthier.core.model.opening import OpenModel
from luthier.core.run.folder import RunFolder
from luthier.core.run.reporting import Reporter
from luthier.core.runfile import Run

if TYPE_CHECKING:
    import pluggy
    import torch


@dataclass
class TrainingJob:
    """One training run, its model open and its data encoded."""

    run: Run
    folder: RunFolder
    opened: OpenModel
    dataset: Items
    """What batches are made of: encoded rows, or what `arrange_dataset` made of them."""
    validation: Mapping[str, Items]
    """What the model is evaluated on, by name, as `dataset` is."""
    dtype: str
    """Name of the precision of the weights."""
    manager: pluggy.PluginManager
    """The plugins of the run."""
    reporter: Reporter = field(default_factory=Reporter)
    """Who is told of the run."""
    optimizer: torch.optim.Optimizer | None = None
    """What replaces the default optimizer, if anything does."""
    collator: Collator | None = None
    """What makes a batch of encoded rows: what `build_collator` gave."""
    callbacks: Sequence[Any] = ()
    """Observers of the loop."""
    origins: Origins | None = None
    """Where the rows of the dataset come from; None where they are streamed."""
    companions: dict[str, str | None] = field(default_factory=dict)
    """The fingerprint of each model beside the one that is trained, by what it is there for."""
    notes: dict[str, str] = field(default_factory=dict)
    """What the run tells of its optimizer and collator once they are built, by subject."""

    def rows_of(self, item: int) -> list[dict[str, Any]]:
        """Return which rows of which datasets an item of `dataset` is made of."""
        if self.origins is None:
            return []
        rows_of = getattr(self.dataset, "rows_of", None)
        return [self.origins.of(number) for number in (rows_of(item) if rows_of else [item])]

    @cached_property
    def trainee(self) -> Any:
        """What the loop trains: the model, or it with its value heads in one module."""
        if not self.opened.value_heads:
            return self.opened.model
        from luthier.core.model.value_head import ValuedModel

        return ValuedModel(self.opened.model, self.opened.value_heads)
