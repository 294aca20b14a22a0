"""What goes together: a verdict for every pair of plugins, by their own rules over traits.

A pair goes together where there is a run that has both: the plugins that the pair leaves open are
the defaults, or others where a default does not do (an optimizer of whole matrices goes with what
goes with some tuner that trains them). The paper's Table 1 is a part of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from luthier.core.circumstances import PRECISIONS, Circumstance, Precision
from luthier.core.compatibility import Conflict, conflicts
from luthier.core.device import KNOWN, Device
from luthier.core.errors import BrokenPlugin, LuthierError
from luthier.core.kinds import Kind, kinds_of
from luthier.core.model.quantization import Quantizer
from luthier.core.plugin import Plugin, install_line, missing_packages
from luthier.core.sections import EncodingSection, ModelSection
from luthier.core.selection import plugin_of
from luthier.core.wiring import Selected, manager_of, steps
from luthier.registry import Catalogue
from luthier.registry.errors import nearest

PRECISION = "precisions"
"""What the axis of precisions is called, beside the kinds of plugins."""
ELSEWHERE = "h100"
"""The device that a pair is judged for, where it does not go on this one."""


class Part(NamedTuple):
    """A row or a column: a plugin as its defaults are, or a precision."""

    kind: str
    name: str
    chosen: Selected | None = None
    circumstance: Circumstance | None = None

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Verdict(NamedTuple):
    """Whether two go together."""

    first: str
    """As `tuners/lora`."""
    second: str
    state: Literal["tested", "allowed", "refused"]
    reason: str = ""
    """Why they do not."""
    remedy: str = ""
    beside: tuple[str, ...] = ()
    """The plugins that a run with both needs in place of defaults."""
    needs: tuple[str, ...] = ()
    """What is missing here: a device, a package."""


@dataclass(frozen=True)
class Matrix:
    """The verdicts on what is installed."""

    catalogue: Catalogue
    device: Device
    """The one at hand."""
    tested: Collection[frozenset[str]] = field(default_factory=frozenset)
    """The pairs that were run, each as two names such as `tuners/lora`."""

    @cached_property
    def axes(self) -> dict[str, list[Part]]:
        """The parts by their kinds; a plugin that is broken is none."""
        found = {kind.name: list(self._plugins(kind)) for kind in self._kinds}
        precisions = [Part(PRECISION, str(one), circumstance=one) for one in PRECISIONS]
        return {**found, PRECISION: precisions}

    def verdicts(self) -> Iterator[Verdict]:
        """Yield one for each pair, those of two of a kind once."""
        parts = [part for axis in self.axes.values() for part in axis]
        for number, first in enumerate(parts):
            for second in parts[number + 1 :]:
                if (
                    first.kind != second.kind
                    or first.kind in self._lists
                    or _variant(first, second)
                ):
                    yield self.verdict(first, second)

    def part(self, name: str) -> Part:
        """Return a part by its name, alone or as `tuners/lora`.

        Raises:
            LuthierError: there is none, or there are several.
        """
        parts = [part for axis in self.axes.values() for part in axis]
        name = name.lower()
        found = [part for part in parts if name in {part.name, str(part)}]
        # a precision is told by its dtype, too, where it is the only one of this
        found = found or [part for part in parts if name in part.name.split()]
        if len(found) > 1:
            raise LuthierError(f"{name!r} may be {' or '.join(map(str, found))}. Name one of them.")
        if not found:
            names = [part.name for part in parts]
            raise LuthierError(
                f"there is no {name!r} among the {', '.join(self.axes)}. {nearest(name, names)}"
                "`luthier matrix` lists them."
            )
        return found[0]

    def verdict(self, first: Part, second: Part) -> Verdict:
        """Return whether two parts go together."""
        names = (str(first), str(second))
        if first.kind == second.kind and first.kind not in self._lists:
            own = _variant(first, second)
            if own is None:
                word = first.kind.removesuffix("s")
                return Verdict(*names, "refused", f"a run has one {word}", "Choose one of them.")
            return self._of([own], names)
        return self._of([first, second], names)

    def _of(self, parts: Sequence[Part], names: tuple[str, str]) -> Verdict:
        """Return the verdict on parts that are to be in one run, for a pair of these names."""
        here = self._judged(parts, self.device)
        found = self._judged(parts, KNOWN[ELSEWHERE]) if isinstance(here, Conflict) else here
        if isinstance(found, Conflict):
            return Verdict(*names, "refused", found.problem, found.remedy)
        lacking = [here.problem] if isinstance(here, Conflict) else []
        lacking += [need for part in parts for need in self._lacking(part) if need not in lacking]
        state: Literal["tested", "allowed"]
        state = "tested" if frozenset(names) in self.tested else "allowed"
        return Verdict(*names, state, beside=found, needs=tuple(lacking))

    def _lacking(self, part: Part) -> Iterator[str]:
        """Yield what a part needs, whatever the model is, that is not here."""
        if isinstance(part.circumstance, Precision) and (
            lack := part.circumstance.lacking(self.device)
        ):
            yield f"a GPU: {lack}"
        if part.chosen is None:
            return
        plugin = part.chosen.plugin
        if missing_packages(type(plugin)):
            yield install_line(type(plugin))
        if isinstance(plugin, Quantizer) and not plugin.quantizes:
            yield f"a model whose weights are stored so: {part} only opens such"
        if any(field.is_required() for field in type(plugin).model_fields.values()):
            return  # what it finds fault with hangs on options that have no default
        for step in steps(manager_of([part.chosen]), "check_model"):
            found = step.call(
                config={}, folder=Path(), model=ModelSection(path=""), encoding=EncodingSection(),
                device=self.device,
            )  # fmt: skip
            yield from (finding.problem for finding in found or ())

    def _judged(self, parts: Sequence[Part], device: Device) -> tuple[str, ...] | Conflict:
        """Return what a run with all parts has in place of defaults, or why there is none."""
        chosen = [one.chosen for one in parts if one.chosen is not None]
        around = [one.circumstance for one in parts if one.circumstance is not None]
        told: list[list[Conflict]] = []
        for beside in self._others({one.kind for one in parts}):
            others = [*beside, *self._brought([*chosen, *beside])]
            found = list(conflicts([*chosen, *others], device, *around))
            if not found:
                return tuple(str(one) for one in others if one not in self._defaults)
            told.append(found)
        return _cause(told)

    def _others(self, kinds: Collection[str]) -> Iterator[list[Selected]]:
        """Yield what a run has beside parts of these kinds: defaults, then others for one."""
        defaults = [one for one in self._defaults if one.kind not in kinds]
        yield defaults
        for place, default in enumerate(defaults):
            for part in self.axes[default.kind]:
                if part.chosen is not None and part.chosen is not default:
                    yield [*defaults[:place], part.chosen, *defaults[place + 1 :]]

    def _brought(self, chosen: Sequence[Selected]) -> list[Selected]:
        """Return what meets a need of chosen plugins, of a kind that is no axis."""
        needed = {need.trait for one in chosen for need in one.needs}
        needed -= {trait for one in chosen for trait in one.traits}
        return [one for one in self._apart if needed & one.traits][:1]

    @cached_property
    def _apart(self) -> list[Selected]:
        kinds = kinds_of(self.catalogue).values()
        lists = [kind for kind in kinds if kind.many and kind.key and not kind.paired]
        parts = [part for kind in lists for part in self._plugins(kind)]
        return [part.chosen for part in parts if part.chosen is not None]

    @cached_property
    def _defaults(self) -> list[Selected]:
        defaults = set(self.catalogue.names("defaults"))
        return [
            part.chosen
            for kind, axis in self.axes.items()
            for part in axis
            if part.chosen is not None
            and kind in defaults
            and part.name == self.catalogue.default(kind).rpartition(":")[2]
        ]

    @cached_property
    def _kinds(self) -> list[Kind]:
        return [kind for kind in kinds_of(self.catalogue).values() if kind.paired]

    @cached_property
    def _lists(self) -> set[str]:
        return {kind.name for kind in self._kinds if kind.many}

    def _plugins(self, kind: Kind) -> Iterator[Part]:
        for entry in self.catalogue:
            if entry.kind == kind.name:
                try:
                    value = plugin_of(entry)
                except BrokenPlugin:
                    continue  # `luthier plugins` says why
                plugin = value if isinstance(value, Plugin) else value.model_construct()
                yield Part(kind.name, entry.name, Selected(kind.name, entry.name, plugin, entry))


def _cause(told: Sequence[Sequence[Conflict]]) -> Conflict:
    """Return why no run has all of some parts.

    Args:
        told: the conflicts of each run that was tried, none of which had none.
    """
    always = set.intersection(*({one.problem for one in found} for found in told))
    for one in told[0]:
        if one.problem in always:
            return one
    # what one of the two needs the other refuses
    fewest = min(map(len, told))
    causes: dict[str, str] = {}
    for one in (one for found in told if len(found) == fewest for one in found):
        causes.setdefault(str(one.culprit), one.problem)
    said = "; ".join(causes.values())
    return Conflict(told[0][0].culprit, said, "Leave one of the two out.")


def _variant(first: Part, second: Part) -> Part | None:
    """Return that of two plugins which is the other one's method, computed in another way."""
    for one, other in ((first, second), (second, first)):
        if one.chosen is not None and one.chosen.plugin.variant_of == other.name:
            return one
    return None
