"""The layer registry: the type of each layer of a model (paper, section 3.1).

A family declares patterns over module names; `LayerMap` is their answer for one built model.
Whatever touches layers (adapters, freezing, sharding) asks it, and never guesses by name itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

from luthier.core.errors import BadModel
from luthier.registry.errors import nearest

if TYPE_CHECKING:
    from torch import nn


class LayerType(StrEnum):
    """What a layer is for."""

    QUERY = "attention-query"
    KEY = "attention-key"
    VALUE = "attention-value"
    QUERY_KEY_VALUE = "attention-query-key-value"
    ATTENTION_OUTPUT = "attention-output"
    GATE = "mlp-gate"
    UP = "mlp-up"
    GATE_UP = "mlp-gate-up"
    DOWN = "mlp-down"
    ROUTER = "router"
    EXPERT = "expert"
    EMBEDDING = "embedding"
    HEAD = "head"
    NORM = "norm"
    STATE_SPACE = "state-space"


GROUPS: Mapping[str, frozenset[LayerType]] = {
    "attention": frozenset(
        {
            LayerType.QUERY,
            LayerType.KEY,
            LayerType.VALUE,
            LayerType.QUERY_KEY_VALUE,
            LayerType.ATTENTION_OUTPUT,
        }
    ),
    "mlp": frozenset({LayerType.GATE, LayerType.UP, LayerType.GATE_UP, LayerType.DOWN}),
}
"""What one word stands for in the run file's `targets`; `all` is every linear layer of a block."""

Targets: TypeAlias = Literal["all", "attention", "mlp"] | str | Sequence[str]
Patterns: TypeAlias = Mapping[str, LayerType]

_NOT_ADAPTED = {LayerType.EMBEDDING, LayerType.HEAD, LayerType.NORM, LayerType.ROUTER}


class LayerMap:
    """The type of each typed layer of one model, by its module's full name."""

    def __init__(self, types: Mapping[str, LayerType]) -> None:
        """Hold the types, in the order of the model's modules."""
        self.types = dict(types)

    @classmethod
    def of(cls, model: nn.Module, patterns: Patterns) -> LayerMap:
        """Return the map of a built model.

        Args:
            model: the model.
            patterns: regular expressions that match the end of a module's name, and the type of
                the modules they match; the first that matches decides.
        """
        compiled = [(re.compile(rf"(.*\.)?{text}\Z"), kind) for text, kind in patterns.items()]
        types: dict[str, LayerType] = {}
        for name, _ in model.named_modules():
            for pattern, kind in compiled:
                if pattern.match(name):
                    types[name] = kind
                    break
        return cls(types)

    def __iter__(self) -> Iterator[tuple[str, LayerType]]:
        """Go through names and types, in the model's order."""
        return iter(self.types.items())

    def names_of(self, *kinds: LayerType) -> list[str]:
        """Return the full names of the layers of these types."""
        return [name for name, kind in self.types.items() if kind in kinds]

    def resolve(self, targets: Targets) -> list[str]:
        """Return the full names of the layers that a run file's `targets` stand for.

        Args:
            targets: `all` (each linear layer but head and router), `attention`, `mlp`, a list
                of ends of names (`q_proj`), or one regular expression over the full name.

        Raises:
            BadModel: nothing is matched; the message lists the names that there are.
        """
        adaptable = [n for n, kind in self.types.items() if kind not in _NOT_ADAPTED]
        if targets == "all":
            return adaptable
        if isinstance(targets, str) and targets in GROUPS:
            return self.names_of(*GROUPS[targets])
        try:
            wanted = [re.compile(targets)] if isinstance(targets, str) else []
        except re.error as fault:
            raise BadModel(f"the target {targets!r} is no regular expression: {fault}") from fault
        ends = () if isinstance(targets, str) else tuple(targets)
        linear = [name for name, kind in self.types.items() if kind is not LayerType.NORM]
        found = [
            name
            for name in linear
            if any(p.fullmatch(name) for p in wanted)
            or any(name == end or name.endswith(f".{end}") for end in ends)
        ]
        for end in ends:
            if not any(name == end or name.endswith(f".{end}") for name in linear):
                raise self._unmatched(end)
        if not found:
            raise self._unmatched(str(targets))
        return found

    def _unmatched(self, target: str) -> BadModel:
        there = sorted(
            {n.rpartition(".")[2] for n, kind in self.types.items() if kind is not LayerType.NORM}
        )
        words = ["all", *GROUPS, *there]
        return BadModel(
            f"the target {target!r} matches no layer of this model. {nearest(target, words)}"
            f"There are: {', '.join(there)}; or one of all, {', '.join(GROUPS)}."
        )

    def counts(self, names: Sequence[str]) -> dict[LayerType, int]:
        """Return how many of the named layers are of each type."""
        return dict(Counter(self.types[name] for name in names if name in self.types))
