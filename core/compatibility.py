"""Which plugins go together, on which device. The rules are the plugins' own, over traits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from luthier.core.circumstances import Circumstance
from luthier.core.device import KNOWN, Device
from luthier.core.wiring import Selected

DEVICE_TRAITS = frozenset().union(*(device.traits for device in KNOWN.values()))


class Conflict(NamedTuple):
    """Why a plugin cannot take part in a run, and the way out."""

    culprit: Selected
    problem: str
    remedy: str


def conflicts(  # noqa: C901 - three rules, each over all others
    chosen: Iterable[Selected], device: Device, *circumstances: Circumstance
) -> Iterator[Conflict]:
    """Yield what the chosen plugins refuse and need of each other and of what they run in.

    Args:
        chosen: every plugin of the run.
        device: where the run is to take place; its traits count like a plugin's.
        circumstances: what else it takes place in.
    """
    everyone = list(chosen)
    told = set()
    for one in everyone:
        for refusal in one.refuses:
            for other in everyone:
                pair = (frozenset({id(one), id(other)}), refusal.trait)
                if other is not one and refusal.trait in other.traits and pair not in told:
                    told.add(pair)  # two that refuse each other are one problem
                    said = f"{one} cannot go with {other}: {refusal.reason}"
                    yield Conflict(one, said, f"{refusal.remedy}.")
            if refusal.trait in device.traits:
                said = f"{one} cannot run on {device}: {refusal.reason}"
                yield Conflict(one, said, f"{refusal.remedy}.")
        for need in one.needs:
            offered = device.traits.union(*(s.traits for s in everyone if s is not one))
            if need.trait not in offered:
                here = f"run here ({device})" if need.trait in DEVICE_TRAITS else "take part"
                said = f"{one} cannot {here}: {need.reason}"
                yield Conflict(one, said, f"{need.remedy}.")
        for circumstance in circumstances:
            yield from _refused(one, circumstance)


def _refused(one: Selected, circumstance: Circumstance) -> Iterator[Conflict]:
    for refusal in circumstance.refuses:
        if refusal.trait in one.traits:
            said = f"{one} cannot run {circumstance.where}: {refusal.reason}"
            yield Conflict(one, said, f"{refusal.remedy}, or do without {one}.")
