"""How the learning rate changes from step to step, in the words of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from transformers import get_scheduler

if TYPE_CHECKING:
    from luthier.core.sections import ScheduleSection

SCHEDULERS = {
    "cosine": "cosine_with_min_lr",
    "cosine-restarts": "cosine_with_restarts",
    "linear": "linear",
    "inverse-sqrt": "inverse_sqrt",
    "wsd": "warmup_stable_decay",
    "constant": "constant_with_warmup",
}
"""transformers' names of the schedulers of a run file."""


def scheduled(
    optimizer: Any,
    name: str,
    schedule: ScheduleSection,
    *,
    warmup: int,
    steps: int,
) -> Any:
    """Return the scheduler of an optimizer: each rate rises to its highest, and falls.

    Args:
        optimizer: torch's, or accelerate's of it; its groups hold their highest learning rates.
        name: the run file's `training.scheduler`.
        schedule: the run file's section of that name.
        warmup: steps in which the rate rises from zero.
        steps: all steps of the run.
    """
    options: Mapping[str, Mapping[str, Any]] = {
        "cosine": {"min_lr_rate": schedule.minimum},
        "cosine-restarts": {"num_cycles": schedule.cycles},
        # warm-up, stable, decay: MiniCPM (https://arxiv.org/abs/2404.06395); the form of the
        # decay is that of Haegele et al., 2024 (https://arxiv.org/abs/2405.18392)
        "wsd": {
            "num_decay_steps": max(1, round(schedule.decay * steps)),
            "min_lr_ratio": schedule.minimum,
            "decay_type": "1-sqrt",
        },
    }
    return get_scheduler(
        SCHEDULERS[name],
        optimizer=optimizer,
        num_warmup_steps=warmup,
        num_training_steps=steps,
        scheduler_specific_kwargs=dict(options.get(name, {})),
    )
