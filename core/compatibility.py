"""Which plugins go together, on which device. The rules are the plugins' own, over traits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from luthier.core.device import Device
from luthier.core.wiring import Selected


class Conflict(NamedTuple):
    """Why a plugin cannot take part in a run, and the way out."""

    culprit: Selected
    problem: str
    remedy: str


def conflicts(chosen: Iterable[Selected], device: Device) -> Iterator[Conflict]:
    """Yield what the chosen plugins refuse and need of each other and of the device.

    Args:
        chosen: every plugin of the run.
        device: where the run is to take place; its traits count like a plugin's.
    """
    everyone = list(chosen)
    told = set()
    for one in everyone:
        for refusal in one.plugin.refuses:
            for other in everyone:
                pair = (frozenset({id(one), id(other)}), refusal.trait)
                if other is not one and refusal.trait in other.traits and pair not in told:
                    told.add(pair)  # two that refuse each other are one problem
                    said = f"{one} cannot go with {other}: {refusal.reason}"
                    yield Conflict(one, said, f"{refusal.remedy}.")
            if refusal.trait in device.traits:
                said = f"{one} cannot run on {device}: {refusal.reason}"
                yield Conflict(one, said, f"{refusal.remedy}.")
        for need in one.plugin.needs:
            offered = device.traits.union(*(s.traits for s in everyone if s is not one))
            if need.trait not in offered:
                said = f"{one} cannot run here ({device}): {need.reason}"
                yield Conflict(one, said, f"{need.remedy}.")
