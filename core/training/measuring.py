"""Figures that observers find at an evaluation, beside those of the stage.

Such an observer has `figures`, the names of what it tells, and a method `measure` that is given the
name of a validation set and returns their values. More of them is better, but of those that it has
in `falling`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from accelerate.utils import broadcast_object_list

from luthier.core.run.ranks import is_first
from luthier.core.training.figures import MEAN

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob


def measured_figures(job: TrainingJob) -> list[str]:
    """Return the names of all figures that observers of a run tell."""
    return [name for one in _measuring(job) for name in one.figures]


def falling_figures(job: TrainingJob) -> frozenset[str]:
    """Return those of them of which less is better."""
    return frozenset(name for one in _measuring(job) for name in getattr(one, "falling", ()))


def measured(job: TrainingJob, validation: str) -> dict[str, float]:
    """Return what observers tell of a validation set; the first process asks, and tells all."""
    observers = list(_measuring(job))
    found: list[dict[str, float]] = [{}]
    if observers and is_first():
        for one in observers:
            found[0].update({f"{MEAN}{k}": v for k, v in one.measure(validation).items()})
    return broadcast_object_list(found)[0] if observers else {}


def _measuring(job: TrainingJob) -> Iterator[Any]:
    return (one for one in job.callbacks if getattr(one, "figures", ()))
