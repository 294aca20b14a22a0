"""A dataset whose path is a name for another declaration, which is put in its place."""

from __future__ import annotations

from luthier.core.data.dataset import BadSource, DatasetSpec
from luthier.core.problems import Place
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.nodes import Node, dotted, node_of
from luthier.core.wiring import manager_of

NAMED = ("path", "source")
"""The keys by which a dataset names another declaration, so that they are always replaced."""


def expand(node: Node, spec: DatasetSpec, path: tuple[str | int, ...], chooser: Chooser) -> bool:
    """Put what a dataset's path stands for in its place; return whether that went well.

    What the run file says beside the path stays. The place of each value that is put in is the
    path as it stood in the run file.

    Args:
        node: the dataset in the tree.
        spec: the dataset, its source chosen.
        path: where it stands in the run file.
        chooser: forgets a source that has expanded a path, and is told what is wrong.
    """
    named = node.mapping["path"]
    try:
        found = manager_of([spec.source]).hook.expand_dataset(spec=spec)
    except BadSource as fault:
        chooser.tell(named.place, dotted((*path, "path")), fault.problem, fault.remedy)
        return False
    if found is None:
        return True
    place = Place(str(spec))
    for key in NAMED:
        node.mapping.pop(key, None)
    for key, value in found.items():
        there = node.mapping.get(key)
        if there is None or there.value is None:
            node.mapping[key] = node_of(value, place)
    chooser.chosen[:] = [chosen for chosen in chooser.chosen if chosen[0] is not spec.source]
    return True
