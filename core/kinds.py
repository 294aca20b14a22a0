"""The kinds of plugin. A kind is data, so that a plugin can add one (group `luthier.kinds`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import pluggy

from luthier.core import hooks
from luthier.core.errors import BrokenPlugin
from luthier.core.sections import SECTIONS
from luthier.registry import Catalogue, Entry

GROUP = "kinds"
"""The entry-point group is `luthier.kinds`."""
RESERVED = (*SECTIONS, "data", "validation", "output", "extends", "plugins")
"""The keys at the top of a run file that name no plugin."""


@dataclass(frozen=True)
class Kind:
    """One kind of plugin, and where a run file names plugins of it."""

    name: str
    """The entry-point group is `luthier.<name>`."""
    summary: str
    """What a plugin of this kind is, in one sentence."""
    key: str | None = None
    """The key of a run file that names one; None where a run file names none."""
    place: Literal["run", "data", "model"] = "run"
    """Where that key stands: at the top, in each entry of `data`, or under `model`."""
    many: bool = False
    """Whether the key takes a list."""
    repeats: bool = False
    """Whether that list may name a plugin several times, each with options of its own."""
    serves: Literal["training", "both"] = "training"
    """Whether a chat with the trained model needs the plugins of this kind too."""
    paired: bool = False
    """Whether its plugins are judged in pairs with others, as `luthier matrix` prints."""
    specs: object | None = None
    """A module or class of hook specifications that this kind adds to luthier's own."""


BUILTIN = (
    Kind(
        "families",
        "A model family: how it is recognised, its layers, its template.",
        key="family",
        place="model",
        serves="both",
    ),
    Kind(
        "quantizers",
        "How the frozen weights are held.",
        key="quantizer",
        serves="both",
        paired=True,
    ),
    Kind(
        "patches",
        "One change to the model: attention, position scaling, kernels.",
        key="patches",
        many=True,
        serves="both",
        paired=True,
    ),
    Kind("tuners", "Which parameters are trained.", key="tuner", paired=True),
    Kind("optimizers", "What replaces the default optimizer.", key="optimizer", paired=True),
    Kind("sources", "Where the rows of a dataset come from.", key="source", place="data"),
    Kind("formats", "What shape the rows of a dataset have.", key="format", place="data"),
    Kind("templates", "The text and ids of a conversation.", key="template", serves="both"),
    Kind("stages", "A training approach.", key="stage", paired=True),
    Kind(
        "rewards",
        "What scores the answers that a stage samples.",
        key="rewards",
        many=True,
        repeats=True,
    ),
    Kind("engines", "What answers in a chat.", key="engine", serves="both"),
    Kind("callbacks", "An observer of a training run.", key="callbacks", many=True),
    Kind("benchmarks", "An evaluation set."),
    Kind("exporters", "A format of artifact."),
    Kind("commands", "A command of the command line."),
)


def kinds_of(catalogue: Catalogue) -> dict[str, Kind]:
    """Return the built-in kinds and those that plugins add, by name; a broken one is left out."""
    return _read(catalogue)[0]


def added_specs(kinds: Mapping[str, Kind]) -> tuple[object, ...]:
    """Return the hook specifications that kinds add to luthier's own."""
    return tuple(kind.specs for kind in kinds.values() if kind.specs is not None)


def broken_kinds(catalogue: Catalogue) -> list[tuple[Entry, BrokenPlugin]]:
    """Return the kinds that are left out, and why."""
    return _read(catalogue)[1]


def _read(catalogue: Catalogue) -> tuple[dict[str, Kind], list[tuple[Entry, BrokenPlugin]]]:
    kinds = {kind.name: kind for kind in BUILTIN}
    broken = []
    for entry in catalogue:
        if entry.kind == GROUP:
            try:
                kind = _sound(entry, kinds)
                kinds[kind.name] = kind
            except BrokenPlugin as fault:
                broken.append((entry, fault))
    return kinds, broken


def _sound(entry: Entry, kinds: Mapping[str, Kind]) -> Kind:
    """Return the kind that an entry offers.

    Raises:
        BrokenPlugin: it fails to import, is no Kind, or takes a name that is taken.
    """
    kind = entry.load()
    reason = None
    if not isinstance(kind, Kind):
        reason = f"{entry.target} is no luthier.core.Kind"
    elif kind.name in {*kinds, GROUP, "defaults"}:
        reason = f"there is a kind {kind.name!r} already"
    elif kind.place != "run":
        reason = "the key of a kind that a plugin adds stands at the top of a run file"
    elif kind.key is not None and kind.key in {*RESERVED, *(k.key for k in kinds.values())}:
        reason = f"the key {kind.key!r} of a run file is taken"
    elif kind.specs is not None:
        reason = _fault_of_specs(kind.specs, added_specs(kinds))
    if reason is not None:
        raise entry.broken(reason)
    return cast("Kind", kind)


def _fault_of_specs(specs: Any, others: tuple[object, ...]) -> str | None:
    """Return what pluggy has against hook specifications beside all others, if anything."""
    if any(specs is other for other in others):
        return None  # two kinds may share them
    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    for other in others:
        manager.add_hookspecs(cast("Any", other))
    try:
        manager.add_hookspecs(specs)
    except ValueError as fault:
        return str(fault)
    return None
