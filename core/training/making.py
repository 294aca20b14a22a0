"""What an optimizer was made with, so that changed options act after a checkpoint is read.

A checkpoint's optimizer has its rates, decays and options in it, and would bring the old ones back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

KINDS = (bool, int, float, str, tuple, type(None))
NAMES = "names"

Made = list[dict[str, Any]]
"""Of each group of parameters its options, and the names of its parameters as `names`."""


def made_with(optimizer: Any, trained: Mapping[str, torch.nn.Parameter]) -> Made:
    """Return what an optimizer was made with that has made no step yet.

    Args:
        optimizer: the optimizer; its rates of now are its scheduler's, `initial_lr` the highest.
        trained: what is trained, by name.
    """
    names = {id(parameter): name for name, parameter in trained.items()}
    return [
        {key: one for key, one in group.items() if key != "lr" and isinstance(one, KINDS)}
        | {NAMES: [names.get(id(one), "") for one in group["params"]]}
        for group in optimizer.param_groups
    ]


def regrouped(stored: dict[str, Any], before: Made, now: Made) -> tuple[dict[str, Any], Made]:
    """Return an optimizer's state for other groups, and what these were made with before.

    A parameter keeps what is known of it; a group has what that of its first parameter had.

    Args:
        stored: the state as torch has it: parameters are numbered through all groups.
        before: what the groups of the state were made with.
        now: what the groups are made with that it is for.
    """
    order = [(name, group) for group, one in enumerate(before) for name in one[NAMES]]
    number = {name: n for n, (name, _) in enumerate(order)}
    group_of = dict(order)
    names = [name for one in now for name in one[NAMES]]
    known = {n: stored["state"].get(number[name]) for n, name in enumerate(names)}
    groups, made, begin = [], [], 0
    for one in now:
        old = group_of[one[NAMES][0]]
        end = begin + len(one[NAMES])
        groups.append({**stored["param_groups"][old], "params": list(range(begin, end))})
        made.append(before[old])
        begin = end
    state = {n: one for n, one in known.items() if one is not None}
    return {**stored, "state": state, "param_groups": groups}, made


def put_back(optimizer: Any, scheduler: Any, now: Made, before: Made) -> None:
    """Put options that were changed into an optimizer that has read a checkpoint.

    Args:
        optimizer: it; whatever was not changed stays as it was read.
        scheduler: its scheduler, a LambdaLR, at the step that it was read at.
        now: what the optimizer was made with.
        before: what the one of the checkpoint was made with.
    """
    for group, new, old in zip(optimizer.param_groups, now, before, strict=True):
        changed = {key: one for key, one in new.items() if key != NAMES and old.get(key) != one}
        group.update(changed)
    scheduler.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
    factors = [factor(scheduler.last_epoch) for factor in scheduler.lr_lambdas]
    rates = [rate * factor for rate, factor in zip(scheduler.base_lrs, factors, strict=True)]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    scheduler._last_lr = rates  # noqa: SLF001 - what is logged, and told nowhere else
