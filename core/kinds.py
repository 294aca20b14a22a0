"""The kinds of plugin. A kind is data, so that a plugin can add one (group `luthier.kinds`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from luthier.core.errors import BrokenPlugin
from luthier.registry import Catalogue


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
    serves: Literal["training", "both"] = "training"
    """Whether a chat with the trained model needs the plugins of this kind too."""
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
    Kind("quantizers", "How the frozen weights are held.", key="quantizer", serves="both"),
    Kind(
        "patches",
        "One change to the model: attention, position scaling, kernels.",
        key="patches",
        many=True,
        serves="both",
    ),
    Kind("tuners", "Which parameters are trained.", key="tuner"),
    Kind("optimizers", "What replaces the default optimizer.", key="optimizer"),
    Kind("sources", "Where the rows of a dataset come from.", key="source", place="data"),
    Kind("formats", "What shape the rows of a dataset have.", key="format", place="data"),
    Kind("templates", "The text and ids of a conversation.", key="template", serves="both"),
    Kind("stages", "A training approach.", key="stage"),
    Kind("engines", "What answers in a chat.", key="engine", serves="both"),
    Kind("callbacks", "An observer of a training run.", key="callbacks", many=True),
    Kind("benchmarks", "An evaluation set."),
    Kind("exporters", "A format of artifact."),
    Kind("commands", "A command of the command line."),
)


def kinds_of(catalogue: Catalogue) -> dict[str, Kind]:
    """Return the built-in kinds and those that plugins add, by name.

    Raises:
        BrokenPlugin: an entry point of group `luthier.kinds` is no Kind.
    """
    kinds = {kind.name: kind for kind in BUILTIN}
    for name in catalogue.names("kinds"):
        entry = catalogue.find("kinds", name)
        kind = entry.load()
        if not isinstance(kind, Kind):
            raise BrokenPlugin("kinds", name, entry.distribution, f"{kind!r} is no Kind")
        kinds[kind.name] = kind
    return kinds
