"""What is wrong with what a run file wants of evaluations, and of where figures are sent."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from luthier.core.data.dataset import VALIDATION, Validation
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.nodes import Node, dotted
from luthier.core.sections import EvaluationSection, FaultSection, Section, TrainingSection

PACKAGES = {"tensorboard": ("tensorboard", "tensorboardX")}
"""The modules that one of `report_to` needs, any of them; of others the one of its name."""
NO_SKIP = {
    "steps-in-backward": "weights have changed before its gradient is known",
    "samples-answers": "updates of the stage's own have been taken before it ends",
}
"""The traits with which a step cannot be skipped, and why."""


def judge_measuring(
    tree: Node, sections: Mapping[str, Section | None], validation: Validation, chooser: Chooser
) -> None:
    """Refuse what cannot be measured, or not be sent, or not be skipped.

    Args:
        tree: the run file.
        sections: its sections; None stands for one that is wrong.
        validation: what the model is evaluated on.
        chooser: what chose the plugins, and is told.
    """
    evaluation, training, faults = (sections[k] for k in ("evaluation", "training", "faults"))
    found: list[Fault] = []
    if isinstance(evaluation, EvaluationSection):
        sets = list(validation.sets) or [VALIDATION] * validation.holds_out
        found += _of_best(evaluation, sets, is_evaluated=VALIDATION in tree.mapping)
    if isinstance(training, TrainingSection):
        found += _of_reports(training.report_to)
    if isinstance(faults, FaultSection) and faults.non_finite == "skip":
        found += _of_skipping(chooser)
    for fault in found if chooser.training else ():
        chooser.tell(tree.at(fault.key).place, dotted(fault.key), fault.problem, fault.remedy)


class Fault(NamedTuple):
    """What is wrong with one key."""

    key: tuple[str | int, ...]
    problem: str
    remedy: str


def _of_best(
    evaluation: EvaluationSection, sets: Sequence[str], *, is_evaluated: bool
) -> Iterator[Fault]:
    given = [key for key in ("best", "patience") if getattr(evaluation, key) is not None]
    if not is_evaluated:
        said = "nothing is evaluated, so no step is known to be better than another"
        remedy = "Give rows to evaluate on, such as `validation: 0.05`, or leave it out."
        yield from (Fault(("evaluation", key), said, remedy) for key in given)
    asked = evaluation.best or "loss"
    if given and len(sets) > 1 and not asked.startswith(tuple(f"{name}." for name in sets)):
        said = "there are several validation sets, and it is not said by which: " + ", ".join(sets)
        remedy = f"Write `evaluation.best: {sets[0]}.{asked}`."
        yield Fault(("evaluation", given[0]), said, remedy)


def _of_reports(names: Sequence[str]) -> Iterator[Fault]:
    for number, name in enumerate(names):
        if not any(importlib.util.find_spec(module) for module in PACKAGES.get(name, (name,))):
            remedy = f"Install it: `pip install {name}`; or leave it out."
            yield Fault(("training", "report_to", number), f"{name} is not installed", remedy)


def _of_skipping(chooser: Chooser) -> Iterator[Fault]:
    for one, _, _ in chooser.chosen:
        for trait in sorted(one.traits & NO_SKIP.keys()):
            said = f"{one} cannot go with skipped steps: {NO_SKIP[trait]}"
            yield Fault(("faults", "non_finite"), said, "Set `faults.non_finite: stop`.")
