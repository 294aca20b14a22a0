"""Which settings of a run the chosen plugins do not go with.

A setting that the file leaves open is no mistake of the file: in its place stands the value that
goes with the plugin, with the plugin as its origin.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from luthier.core.problems import Place
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.nodes import DEFAULT, Node, node_of
from luthier.core.sections import ScheduleSection, TrainingSection
from luthier.core.wiring import Selected


class Rule(NamedTuple):
    """A setting that does not go with plugins of a trait."""

    key: str
    """The key of the section `training`."""
    neutral: Any
    """The value that goes with every plugin."""
    trait: str
    reason: str


RULES = (
    Rule(
        "gradient_accumulation", 1, "steps-in-backward",
        "a gradient is used up in the backward pass that it comes from",
    ),
    Rule(
        "gradient_accumulation", 1, "samples-answers",
        "answers to a batch of prompts are trained on in updates of the stage's own, "
        "`stage.minibatch_size` at a time",
    ),
    Rule(
        "max_grad_norm", 0.0, "steps-in-backward",
        "the norm of all gradients is known only when the first of them have been used up",
    ),
    Rule(
        "scheduler", "constant", "averages-weights",
        "the average of the weights takes the place of a schedule",
    ),
)  # fmt: skip

SCHEDULERS_OF = {
    "minimum": ("cosine", "wsd"), "decay": ("wsd",), "cycles": ("cosine-restarts",),
}  # fmt: skip
"""The schedulers that each key of the section `schedule` is for."""
ROUNDING = 1e-9
"""What shares that add up to 1 may be above it."""


def settle(tree: Node, sections: dict[str, Any], chooser: Chooser) -> dict[str, Any]:
    """Return the sections with the settings that go with the chosen plugins; tell of what does not.

    Args:
        tree: the run file; a setting that is put there says why.
        sections: its sections; None stands for one that is wrong.
        chooser: what chose the plugins, and is told.
    """
    training, schedule = sections["training"], sections["schedule"]
    if not chooser.training or not isinstance(training, TrainingSection):
        return sections
    settled = {}
    for rule, one in _broken(training, chooser):
        node = tree.at(("training", rule.key))
        said = f"{one} cannot go with `{rule.key}: {node.value}`: {rule.reason}"
        if node.place != DEFAULT:
            remedy = f"Set `training.{rule.key}: {rule.neutral}`, or {_another(one, chooser)}."
            chooser.tell(node.place, f"training.{rule.key}", said, remedy)
        else:
            settled[rule.key] = rule.neutral
            tree.mapping["training"].mapping[rule.key] = node_of(rule.neutral, Place(f"for {one}"))
            chooser.notes.append(f"`training.{rule.key}` is {rule.neutral}: {said}")
    training = training.model_copy(update=settled)
    if isinstance(schedule, ScheduleSection):
        _judge_schedule(tree, training.scheduler, schedule, chooser)
        _judge_phases(tree, training, schedule, chooser)
    return {**sections, "training": training}


def _broken(training: TrainingSection, chooser: Chooser) -> Iterator[tuple[Rule, Selected]]:
    """Yield the rules that settings break, each with the plugin that does not go with them."""
    for rule in RULES:
        if getattr(training, rule.key) != rule.neutral:
            for one, _, _ in chooser.chosen:
                if rule.trait in one.traits:
                    yield rule, one


def _another(one: Selected, chooser: Chooser) -> str:
    return f"choose another `{chooser.kinds[one.kind].key}`"


def _judge_schedule(tree: Node, name: str, schedule: ScheduleSection, chooser: Chooser) -> None:
    """Refuse what the file says of a schedule that it does not choose."""
    for key, schedulers in SCHEDULERS_OF.items():
        default = ScheduleSection.model_fields[key].default
        if getattr(schedule, key) != default and name not in schedulers:
            said = f"`training.scheduler: {name}` has none"
            remedy = f"Leave it out, or choose the scheduler {' or '.join(schedulers)}."
            chooser.tell(tree.at(("schedule", key)).place, f"schedule.{key}", said, remedy)


def _judge_phases(
    tree: Node, training: TrainingSection, schedule: ScheduleSection, chooser: Chooser
) -> None:
    """Refuse a warm-up that has not ended when the rate is to fall."""
    phases = training.warmup + schedule.decay
    if training.scheduler == "wsd" and phases > 1 + ROUNDING:
        keys = ("schedule", "decay"), ("training", "warmup")
        # the first that the file itself gives: the defaults go together
        key = next(one for one in keys if tree.at(one).place != DEFAULT)
        said = (
            f"the warm-up ({training.warmup:g}) and the fall of `wsd` ({schedule.decay:g}) take "
            f"{phases:g} of all steps together, and the learning rate would never be reached"
        )
        remedy = "Set `training.warmup` and `schedule.decay` to 1 or less together."
        chooser.tell(tree.at(key).place, ".".join(key), said, remedy)
