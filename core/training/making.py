"""What an optimizer was made with, so that changed options act after a checkpoint is read.

A checkpoint's optimizer has its rates, decays and options in it, and would bring the old ones back.
"""

from __future__ import annotations

from typing import Any

KINDS = (bool, int, float, str, tuple, type(None))


def made_with(optimizer: Any) -> list[dict[str, Any]]:
    """Return the options of each group of parameters of an optimizer that has made no step yet."""
    return [
        {key: one for key, one in group.items() if key != "lr" and isinstance(one, KINDS)}
        for group in optimizer.param_groups
    ]  # the rate of now is the scheduler's; `initial_lr` is the highest


def put_back(
    optimizer: Any, scheduler: Any, made: list[dict[str, Any]], before: list[dict[str, Any]]
) -> None:
    """Put options that were changed into an optimizer that has read a checkpoint.

    Args:
        optimizer: it; whatever was not changed stays as it was read.
        scheduler: its scheduler, a LambdaLR, at the step that it was read at.
        made: what the optimizer was made with now.
        before: what the one of the checkpoint was made with.
    """
    for group, now, old in zip(optimizer.param_groups, made, before, strict=True):
        group.update({key: one for key, one in now.items() if old.get(key) != one})
    scheduler.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
    factors = [factor(scheduler.last_epoch) for factor in scheduler.lr_lambdas]
    rates = [rate * factor for rate, factor in zip(scheduler.base_lrs, factors, strict=True)]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    scheduler._last_lr = rates  # noqa: SLF001 - what is logged, and told nowhere else
