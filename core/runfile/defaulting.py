"""The defaults of lists: what a run has though its file does not name it, where that goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from luthier.core.compatibility import conflicts, traits_of
from luthier.core.device import Device
from luthier.core.problems import Finding, Place
from luthier.core.runfile.choosing import LEFT_OUT, Chooser
from luthier.core.runfile.nodes import DEFAULT, Node, path_to
from luthier.core.wiring import Selected


def leave_out_unsuited(
    tree: Node, device: Device, found: Iterable[tuple[str, Finding]], chooser: Chooser
) -> None:
    """Leave out each default of a list that does not go with the rest of the run.

    It is no mistake of the file, which does not name it. In its place stands what leaves it out,
    with the reason as its origin, so that the resolved file gives the same run wherever it is
    read again.

    Args:
        tree: the run file.
        device: where the run is to take place.
        found: what plugins found wrong with the model, with the key that chose each.
        chooser: what chose the plugins; a default that is left out is taken from it.
    """
    lists = {kind.name for kind in chooser.kinds.values() if kind.many}
    against = {key: finding.problem for key, finding in found}
    for default in list(chooser.chosen):
        one, place, key = default
        if place != DEFAULT or one.kind not in lists:
            continue
        others = [other for other, _, _ in chooser.chosen if other is not one]
        expected = _reason_for_none(one, others, device)
        unsuited = against.get(key) or _conflict(one, others, device)
        if expected or unsuited:
            chooser.chosen = [each for each in chooser.chosen if each is not default]
            path = path_to(key)
            named = tree.at((*path, "name")).value
            origin = Place(f"{DEFAULT.origin}: {expected or unsuited}")
            tree.at(path[:-1]).items[int(path[-1])] = Node(f"{LEFT_OUT}{named}", origin)
        if unsuited and not expected:
            chooser.notes.append(f"{one}, a default, is left out: {unsuited}")


def _reason_for_none(one: Selected, others: Sequence[Selected], device: Device) -> str | None:
    """Return why a plugin is no default here, by its own account, if it is none."""
    there = device.traits.union(*map(traits_of, others))
    return next((r.reason for r in one.plugin.no_default if r.trait in there), None)


def _conflict(one: Selected, others: Sequence[Selected], device: Device) -> str | None:
    """Return what goes wrong with a plugin, and does not without it."""
    without = {conflict.problem for conflict in conflicts(others, device)}
    with_it = (conflict.problem for conflict in conflicts([*others, one], device))
    return next((problem for problem in with_it if problem not in without), None)
