"""What is wrong with the order in which a run file wants its rows: shares, weights, lengths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from luthier.core.data.dataset import VALIDATION, DatasetSpec, Validation
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.nodes import Node, dotted
from luthier.core.sections import DatasetSection, MixSection, Section, TrainingSection

ARRANGED = frozenset({"packed-rows", "running-text"})
"""Traits of a stage that makes batches of something else than single rows."""


def judge_order(
    tree: Node,
    sections: Mapping[str, Section | None],
    data: Sequence[DatasetSpec],
    validation: Validation,
    chooser: Chooser,
) -> None:
    """Refuse what is asked of the rows' order and cannot be had, or would change nothing.

    Args:
        tree: the run file.
        sections: its sections; None stands for one that is wrong.
        data: its datasets, as far as they are right.
        validation: what is held out of them.
        chooser: what is told of it.
    """
    mix, training = sections["mix"], sections["training"]
    if not isinstance(mix, MixSection) or not isinstance(training, TrainingSection):
        return

    def tell(key: tuple[str | int, ...], said: str, remedy: str) -> None:
        chooser.tell(tree.at(key).place, dotted(key), said, remedy)

    traits = frozenset[str]().union(*(one.traits for one, _, _ in chooser.chosen))
    if training.group_by_length and (mix.streaming or not traits.isdisjoint(ARRANGED)):
        said = "batches are made of packs, blocks or a stream, and these have no such order"
        remedy = "Leave it out, or turn packing or streaming off."
        tell(("training", "group_by_length"), said, remedy)
    if mix.streaming and training.max_steps is None and chooser.training:
        said = "rows are streamed, so it is not known how many there are, nor when to stop"
        tell(("mix", "streaming"), said, "Give `training.max_steps`.")
    if mix.streaming and validation.share is not None:
        said = "rows are streamed, so it is not known how many a share of them would be"
        tell((VALIDATION,), said, "Give a number of rows, or a dataset of its own.")
    for number, spec in enumerate(data):
        for name, said, remedy in _faults_of(spec.section, mix):
            tell(("data", number, name), said, remedy)


def _faults_of(section: DatasetSection, mix: MixSection) -> Iterator[tuple[str, str, str]]:
    """Yield key, fault and remedy of what a dataset says of its place in the order."""
    if mix.streaming and section.repeat % 1:
        said = "rows are streamed, so it is not known how many a part of a pass would be"
        yield "repeat", said, "Give a whole number."
    if mix.strategy == "concatenate" and section.weight is not None:
        said = "datasets that stand one after the other have no turns for a weight to tell"
        remedy = "Choose another `mix.strategy`, such as `once`; or give a `repeat`."
        yield "weight", said, remedy
