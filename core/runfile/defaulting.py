"""The defaults of lists: what a run has though its file does not name it, where that goes.

One that does not go is no mistake of the file, which does not name it. In its place stands what
leaves it out, with the reason as its origin, so that the resolved file gives the same run wherever
it is read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from luthier.core.compatibility import conflicts
from luthier.core.device import Device
from luthier.core.problems import Finding, Place
from luthier.core.runfile.choosing import LEFT_OUT, Chooser
from luthier.core.runfile.nodes import DEFAULT, Node, path_to
from luthier.core.wiring import Selected


def leave_out_conflicting(tree: Node, device: Device, chooser: Chooser) -> None:
    """Leave out the defaults that do not go with the device, or with what the file names.

    Args:
        tree: the run file.
        device: where the run is to take place.
        chooser: what chose the plugins; what is left out is taken from it.
    """
    for one, key in _defaults(chooser):
        others = [other for other, _, _ in chooser.chosen if other is not one]
        if reason := _reason_for_none(one, others, device):
            _leave_out(key, reason, tree, chooser)
        elif conflict := _conflict(one, others, device):
            _leave_out(key, conflict, tree, chooser)
            told = conflict.replace(f"{one} cannot", "it cannot")
            chooser.notes.append(f"{one}, a default, is left out: {told}")


def leave_out_faulted(
    tree: Node, found: Iterable[tuple[str, Finding]], chooser: Chooser
) -> list[tuple[str, Finding]]:
    """Leave out the defaults that find fault with the model; return what others surely find.

    Args:
        tree: the run file.
        found: what plugins find wrong with the model, with the key that chose each.
        chooser: what chose the plugins; what is left out is taken from it.
    """
    defaults = {key: one for one, key in _defaults(chooser)}
    rest = []
    for key, finding in found:
        if key not in defaults:
            rest += [(key, finding)] if finding.certain else []
        elif key in {chosen for _, _, chosen in chooser.chosen}:  # it may find several faults
            _leave_out(key, finding.problem, tree, chooser)
            way_out = "" if finding.certain else f". {finding.remedy}"
            said = f"{defaults[key]}, a default, is left out: {finding.problem}{way_out}"
            chooser.notes.append(said)
    return rest


def _defaults(chooser: Chooser) -> list[tuple[Selected, str]]:
    """Return the chosen defaults of lists, each with its key."""
    lists = {kind.name for kind in chooser.kinds.values() if kind.many}
    return [
        (one, key) for one, place, key in chooser.chosen if place == DEFAULT and one.kind in lists
    ]


def _leave_out(key: str, reason: str, tree: Node, chooser: Chooser) -> None:
    chooser.chosen = [each for each in chooser.chosen if each[2] != key]
    path = path_to(key)
    name = tree.at((*path, "name")).value
    origin = Place(f"{DEFAULT.origin}: {reason}")
    tree.at(path[:-1]).items[int(path[-1])] = Node(f"{LEFT_OUT}{name}", origin)


def _reason_for_none(one: Selected, others: Sequence[Selected], device: Device) -> str | None:
    """Return why a plugin is no default here, by its own account, if it is none."""
    there = device.traits.union(*(one.traits for one in others))
    return next((r.reason for r in one.plugin.no_default if r.trait in there), None)


def _conflict(one: Selected, others: Sequence[Selected], device: Device) -> str | None:
    """Return what goes wrong with a plugin, and does not without it."""
    without = {conflict.problem for conflict in conflicts(others, device)}
    with_it = (conflict.problem for conflict in conflicts([*others, one], device))
    return next((problem for problem in with_it if problem not in without), None)
