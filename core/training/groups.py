"""The groups of trained parameters that an optimizer is given: those of one rate and one decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadModel, LuthierError

if TYPE_CHECKING:
    import torch

    from luthier.core.model.opening import OpenModel
    from luthier.core.run.job import TrainingJob

MATRIX = 2
"""The axes of the smallest parameter that is a matrix; a bias or a norm has one."""
NO_DECAY = "_no_weight_decay"
"""The attribute by which a parameter says that no weight decay is for it, whatever its shape, as
Mamba's code has it: a tuner sets it on what scales, and begins at 1."""


def parameter_groups(
    job: TrainingJob,
    settings: Callable[[str, torch.nn.Parameter], Mapping[str, Any]] = lambda *_: {},
) -> list[dict[str, Any]]:
    """Return the trained parameters in groups, each with its `lr` and its `weight_decay`.

    Args:
        job: the run; its model is open.
        settings: what the optimizer sets of a parameter besides, told by its name and itself;
            parameters with equal settings share a group, which has these keys too.

    Raises:
        BadModel: a word of `schedule.learning_rates` matches no layer.
    """
    training = job.run.training
    rates = rates_of(job)
    groups: dict[Any, dict[str, Any]] = {}
    for name, parameter in job.opened.trained().items():
        facts = {
            "lr": rates.get(name, training.learning_rate),
            "weight_decay": training.weight_decay if decays(name, parameter) else 0.0,
            **settings(name, parameter),
        }
        group = groups.setdefault(tuple(sorted(facts.items())), {"params": [], **facts})
        group["params"].append(parameter)
    return list(groups.values())


def decays(name: str, parameter: torch.nn.Parameter) -> bool:
    """Return whether weight decay is for a parameter: for a matrix, or a stack of them.

    Args:
        name: its full name. The biases of stacked experts are (experts, outputs), and no matrix.
        parameter: itself. Its shape alone does not tell: a LoRA of rank 1 is (1, n), too.
    """
    exempt = name.endswith("bias") or getattr(parameter, NO_DECAY, False)
    return parameter.ndim >= MATRIX and not exempt


def rates_of(job: TrainingJob) -> dict[str, float]:
    """Return the learning rates of those trained parameters that have one of their own, by name.

    Raises:
        BadModel: a word of `schedule.learning_rates` matches no layer, or none that is trained.
    """
    asked, layers = job.run.schedule.learning_rates, job.opened.layers
    within = _layers_of_trained(job.opened) if asked else {}
    rates: dict[str, float] = {}
    for word, rate in asked.items():
        chosen = set(layers.matching([word]))
        reached = [name for name, own in within.items() if not chosen.isdisjoint(own)]
        if not reached:
            raise BadModel(
                f"`schedule.learning_rates` has a rate for '{word}', and nothing is trained of "
                f"what that names ({layers.described(chosen)}). Leave it out, or choose a tuner "
                "or `targets` that train it."
            )
        rates |= dict.fromkeys(reached, rate)
    return rates


def _layers_of_trained(opened: OpenModel) -> dict[str, set[str]]:
    """Return the layers that each trained parameter is of, by name; of a tied one there are two."""
    names = {id(parameter): name for name, parameter in opened.trained().items()}
    found: dict[str, set[str]] = {name: set() for name in names.values()}
    for name, parameter in opened.model.named_parameters(remove_duplicate=False):
        layer = opened.layers.layer_of(name)
        if layer is not None and id(parameter) in names:
            found[names[id(parameter)]].add(layer)
    return found


def require_rates(job: TrainingJob) -> None:
    """Refuse an optimizer that has put parameters of different learning rates together.

    Raises:
        LuthierError: it has, so it does not know `schedule.learning_rates`.
    """
    rates = rates_of(job)
    if not rates:
        return
    own = {p: rates.get(name) for name, p in job.opened.trained().items()}
    groups = job.optimizer.param_groups if job.optimizer else [{"params": list(own)}]
    for group in groups:
        if len({own[p] for p in group["params"] if p in own}) > 1:
            raise LuthierError(
                f"{type(job.optimizer).__name__ if job.optimizer else 'the default optimizer'} has "
                "one learning rate for layers that `schedule.learning_rates` gives several. Leave "
                "that out, or choose an optimizer that makes its groups by "
                "`luthier.core.training.parameter_groups`."
            )
