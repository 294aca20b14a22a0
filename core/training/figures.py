"""The figures of many batches: sums that become means where they are logged."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

MEAN = "mean_"
"""What the names of a stage's own figures begin with, in what transformers hands to observers."""

LOSS = "loss"


class Telling:
    """What a trainer tells besides its loss; a stage's own says which figures these are."""

    means: tuple[str, ...] = ()
    """What it tells of each item that its loss counts, besides the loss, by name."""
    falling: frozenset[str] = frozenset()
    """Those of its figures of which less is better, as it is of the loss."""
    best_figure: str = LOSS
    """The one by which the best step is known where a run file names none."""

    def items_of(self, inputs: dict[str, Any], trained: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """Return how many items of a batch the loss is the mean of: here its trained tokens."""
        return trained

    def sums_of_means(self) -> list[torch.Tensor]:
        """Return the sums of `means` over the items of the batch whose loss was just computed."""
        return []

    def logged_means(self, means: dict[str, float]) -> dict[str, float]:
        """Return what is logged of the means of `means` over many batches: here all of them."""
        return means


class Figures:
    """Sums over batches, kept on the device where they arise."""

    def __init__(
        self, means: Sequence[str] = (), told: Callable[[dict[str, float]], dict[str, float]] = dict
    ) -> None:
        """Begin at zero.

        Args:
            means: what else a stage tells of each item that its loss counts, by name.
            told: makes of these means what is told.
        """
        self.means, self._told = tuple(means), told
        self.sums = torch.zeros(4 + len(self.means), dtype=torch.float64)

    def add(self, *sums: torch.Tensor) -> None:
        """Add a batch: summed loss, items that it counts, trained tokens, all tokens, the means."""
        found = torch.stack([one.detach().double() for one in sums])
        self.sums = self.sums.to(found.device) + found

    def taken(self, accelerator: Any) -> dict[str, float]:
        """Return the means over all processes, and begin anew."""
        summed, items, trained, tokens, *means = accelerator.reduce(self.sums, "sum").tolist()
        self.sums = torch.zeros_like(self.sums)
        # on several devices transformers scales each loss by their number
        summed /= accelerator.num_processes
        found = [one / items if items else math.nan for one in (summed, *means)]
        told = self._told(dict(zip(self.means, found[1:], strict=True)))
        counts = {"trained_tokens": int(trained), "tokens": int(tokens)}
        return {"loss": found[0], **counts, **{f"{MEAN}{name}": one for name, one in told.items()}}
