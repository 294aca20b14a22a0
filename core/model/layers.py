"""The layer registry: the type of each layer of a model (paper, section 3.1).

`LayerMap` is its answer for one built model. A type is told by a layer's class and its name in its
place; a family declares only where that is not enough. Whatever touches layers (adapters,
freezing, sharding) asks the map, and never guesses by name itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING, TypeAlias

from luthier.core.errors import BadModel
from luthier.core.model.layer_finding import layers_in
from luthier.core.model.layer_types import GROUPS, UNREACHED, LayerType
from luthier.core.problems import counted
from luthier.registry.errors import nearest

if TYPE_CHECKING:
    from torch import nn

__all__ = ["GROUPS", "LayerMap", "LayerType", "Patterns", "Targets"]

Targets: TypeAlias = str | Sequence[str]
Patterns: TypeAlias = Mapping[str, LayerType]


class LayerMap:
    """The type of each layer of one model, by its full name."""

    def __init__(
        self, types: Mapping[str, LayerType], parameters: Mapping[str, str] | None = None
    ) -> None:
        """Hold the types, in the order of the model's modules, and which layers are parameters."""
        self.types = dict(types)
        self.parameters = dict(parameters or {})
        """The layers that are no linear module but a parameter, such as experts that are held in
        one tensor, with the full names of these parameters."""
        self.resolved: Counter[LayerType] = Counter()
        """How many layers of each type `resolve` gave so far; the run tells of it."""

    @classmethod
    def of(cls, model: nn.Module, patterns: Patterns | None = None) -> LayerMap:
        """Return the map of a built model.

        Args:
            model: the model.
            patterns: what its family declares: regular expressions that match the end of a layer's
                name, and the type of the layers they match. The first that matches decides; where
                none does, the layer's class and name tell.
        """
        compiled = [
            (re.compile(rf"(.*\.)?{text}\Z"), kind) for text, kind in (patterns or {}).items()
        ]
        types: dict[str, LayerType] = {}
        parameters: dict[str, str] = {}
        for name, parameter, found in layers_in(model):
            declared = next((kind for pattern, kind in compiled if pattern.match(name)), None)
            kind = declared or found
            if kind is not None:
                types[name] = kind
                if parameter:
                    parameters[name] = parameter
        return cls(types, parameters)

    def __iter__(self) -> Iterator[tuple[str, LayerType]]:
        """Go through names and types, in the model's order."""
        return iter(self.types.items())

    def names_of(self, *kinds: LayerType) -> list[str]:
        """Return the full names of the layers of these types."""
        return [name for name, kind in self.types.items() if kind in kinds]

    def layer_of(self, parameter: str) -> str | None:
        """Return the layer that a parameter is part of, or that an adapter put it beside.

        Args:
            parameter: its full name, in the model or in PEFT's wrapper of it.
        """
        steps = parameter.removeprefix(PEFT_PREFIX).split(".")
        while steps:
            name = ".".join(step for step in steps if step != "base_layer")
            if name in self.types:
                return name
            steps.pop()
        return None

    def type_of(self, parameter: str) -> LayerType | None:
        """Return the type of the layer that a parameter belongs to, or that it stands beside.

        Args:
            parameter: its full name; that of one which PEFT laid on the model, too.

        Returns:
            None where it is of no layer; `expert` beside several stacks of experts, as in PEFT.
        """
        if (layer := self.layer_of(parameter)) is not None:
            return self.types[layer]
        parts = parameter.removeprefix(PEFT_PREFIX).split(".")
        around = {".".join(parts[:end]) for end in range(1, len(parts))}
        holders = {name.rpartition(".")[0] for name in self.parameters}
        return None if around.isdisjoint(holders) else LayerType.EXPERT

    def named(self, word: str, *, norms: bool = True) -> list[str]:
        """Return the layers of a group or a type, or those whose names end so.

        Args:
            word: the group, the type, or the end of a name.
            norms: whether a name may be that of a norm, which has no weights that others multiply.

        Raises:
            BadModel: there are none, and the message lists the names that there are.
        """
        kinds = _WORDS.get(word)
        found = (
            self.names_of(*kinds)
            if kinds is not None
            else [
                name
                for name in (self.types if norms else self._addressable())
                if f".{name}".endswith(f".{word}")
            ]
        )
        if not found:
            raise self._unmatched(word)
        return found

    def resolve(
        self,
        targets: Targets,
        *,
        beside: bool = False,
        among: Set[str] | None = None,
        norms: bool = False,
    ) -> list[str]:
        """Return the full names of the layers that a run file's `targets` stand for.

        Args:
            targets: a group (`all`, `attention`, `mlp` ...), a type (`attention-query`), a list of
                these and of ends of names (`q_proj`), or one regular expression over the full name.
            beside: leave out the layers beside which nothing can be trained, as adapters want it.
            among: the names that may be given; all where it is None.
            norms: whether a name or an expression may be of a norm, which has no weights that
                others multiply.

        Raises:
            BadModel: nothing is matched, and the message lists the names that there are; or all
                layers of one name are left out, and it says why.
        """
        found = self.matching(targets, among, norms=norms)
        if beside:
            found = self._reached(found)
        self.resolved.update(self.types[name] for name in found)
        return found

    def matching(
        self, targets: Targets, among: Set[str] | None = None, *, norms: bool = False
    ) -> list[str]:
        """Return what `resolve` does, of which the run does not tell.

        Raises:
            BadModel: nothing is matched, or nothing that may be given.
        """
        if isinstance(targets, str) and targets not in _WORDS:
            found = self._expressed(targets, norms=norms)
        else:
            words = (targets,) if isinstance(targets, str) else tuple(targets)
            wanted = {name for word in words for name in self.named(word, norms=norms)}
            found = [name for name in self.types if name in wanted]
        said = targets if isinstance(targets, str) else ", ".join(targets)
        if not found:
            raise self._unmatched(said)
        within = [name for name in found if among is None or name in among]
        if not within:
            raise _elsewhere(said, found[0], among or ())
        return within

    def _expressed(self, expression: str, *, norms: bool) -> list[str]:
        try:
            pattern = re.compile(expression)
        except re.error as fault:
            raise BadModel(
                f"the target {expression!r} is no regular expression: {fault}. Mend it, or write "
                "names and types as a list."
            ) from fault
        there = self.types if norms else self._addressable()
        return [name for name in there if pattern.fullmatch(name)]

    def _reached(self, names: list[str]) -> list[str]:
        """Leave out what no adapter reaches.

        Raises:
            BadModel: it is all that a name stands for.
        """
        reached = [name for name in names if self.types[name] not in UNREACHED]
        there = {_last(name) for name in reached}
        for name in names:
            if _last(name) not in there:
                raise BadModel(
                    f"nothing can be trained beside {name}: {UNREACHED[self.types[name]]}. "
                    f"Leave {_last(name)} out of `targets`."
                )
        return reached

    def _addressable(self) -> Iterator[str]:
        """Go through the layers that are no norms."""
        return (name for name, kind in self.types.items() if kind is not LayerType.NORM)

    def _unmatched(self, target: str) -> BadModel:
        names = sorted({_last(name) for name in self._addressable()})
        if target in names:  # a text by itself is an expression over whole names
            return BadModel(
                f"the target {target!r} is no whole name of a layer, but the end of some. "
                f"Write it as a list: [{target}]."
            )
        kinds = set(self.types.values())
        groups = [word for word, kinds_of in GROUPS.items() if kinds & kinds_of]
        return BadModel(
            f"the target {target!r} matches no layer of this model. "
            f"{nearest(target, [*groups, *names, *sorted(kind.value for kind in kinds)])}"
            f"There are: {', '.join(names)}; or one of {', '.join(groups)}."
        )

    def __str__(self) -> str:
        """Return what was resolved, such as `4 layers: attention-query 2, attention-value 2`."""
        return _told(self.resolved)

    def described(self, names: Iterable[str]) -> str:
        """Return how many layers these are and of which types, in the order of the model."""
        wanted = {*names}
        return _told(Counter(kind for name, kind in self if name in wanted))

    def counts(self, names: Sequence[str]) -> dict[LayerType, int]:
        """Return how many of the named layers are of each type."""
        return dict(Counter(self.types[name] for name in names if name in self.types))


PEFT_PREFIX = "base_model.model."
"""How the names of a model's parameters begin once PEFT has wrapped it."""
_WORDS: Mapping[str, frozenset[LayerType]] = {
    **{kind.value: frozenset({kind}) for kind in LayerType},
    **GROUPS,
}


def _told(counts: Mapping[LayerType, int]) -> str:
    listed = ", ".join(f"{kind} {count}" for kind, count in counts.items())
    return f"{counted(sum(counts.values()), 'layer', 'layers')}: {listed}"


def _elsewhere(target: str, found: str, among: Iterable[str]) -> BadModel:
    """Return what tells that a target matches layers, and none of those that it has to."""
    names = ", ".join(sorted({_last(name) for name in among})) or "none"
    return BadModel(
        f"the target {target!r} matches {found}, which is none of the layers that are chosen here. "
        f"There are: {names}. Name one of these, or choose that one, too."
    )


def _last(name: str) -> str:
    return name.rpartition(".")[2]
