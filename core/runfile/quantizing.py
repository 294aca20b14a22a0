"""The quantizer of a run file's model: named there, or told by the model's config."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from luthier.core.errors import AmbiguousPlugin, BadModel, BrokenPlugin
from luthier.core.kinds import Kind
from luthier.core.model.evidence import config_of
from luthier.core.model.quantization import KEY, Quantizer, stored_quantization
from luthier.core.problems import Place, described
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.nodes import DEFAULT, Node, dotted
from luthier.core.selection import plugin_of
from luthier.registry import Catalogue

STORED = Place(f"the model's {KEY}")
"""The origin of a quantizer, and of its options, that the model's config tells."""


def stored_in(folder: Path) -> dict[str, Any] | None:
    """Return what the config in a folder tells of how the weights are stored, if there is one."""
    with suppress(BadModel, OSError):  # told where the family is looked for
        return stored_quantization(config_of(folder) or {})
    return None


def choose_quantizer(
    kind: Kind, node: Node, chooser: Chooser, stored: Mapping[str, Any] | None
) -> Node:
    """Choose a run's quantizer; return its node, with what the model's config tells of it.

    Args:
        kind: the kind of quantizers.
        node: the run file's `quantizer`, or nothing.
        chooser: what finds it, and is told what is wrong.
        stored: the model's `quantization_config`; None where it has none, or it is not at hand.
    """
    key = str(kind.key)
    if stored is not None:
        quantizers = _quantizers(chooser.catalogue)
        found = _opener(key, node, chooser, stored, quantizers)
        if found is None:
            return node
        node = _with_stored_options(key, found, chooser, stored, quantizers)
    if node.value is None:
        return node
    if stored is None:
        _require_quantizing(key, node, chooser)
    return chooser.select(kind, node, (key,))


def _require_quantizing(key: str, node: Node, chooser: Chooser) -> None:
    """Tell of a quantizer that only opens what is stored so, whether it is installed or not."""
    quantizers = _quantizers(chooser.catalogue)
    named = node.mapping.get("name", node)
    cls = quantizers.get(named.value) if isinstance(named.value, str) else None
    if cls is not None and not cls.quantizes:
        said = f"{named.value!r} opens models that are stored so; this one's weights are whole"
        able = [name for name, one in quantizers.items() if one.quantizes]
        remedy = f"Leave it out, or choose one that quantizes as it loads: {', '.join(able)}."
        chooser.tell(named.place, key, said, remedy)


def _opener(
    key: str,
    node: Node,
    chooser: Chooser,
    stored: Mapping[str, Any],
    quantizers: Mapping[str, type[Quantizer]],
) -> Node | None:
    """Return the node of the quantizer that opens a stored model; None where it is told why not."""
    method = stored.get("quant_method") or "an unnamed method"
    openers = [name for name, one in quantizers.items() if one.opens(stored)]
    choice = " or ".join(f"`{key}: {name}`" for name in openers)
    said = f"the model's weights are stored quantized by {method!r} (its config.json)"
    named = node.mapping.get("name", node)
    if not openers:
        known = ", ".join(sorted({each for one in quantizers.values() for each in one.methods}))
        remedy = f"Name a model whose weights are whole, or stored by one of: {known or 'none'}."
        chooser.tell(named.place, key, f"{said}, which no installed quantizer opens", remedy)
        return None
    if isinstance(named.value, str):
        if named.value in openers or named.value not in chooser.catalogue.names("quantizers"):
            return node  # an unknown name is told where it is looked for
        said = f"{said}, and {named.value!r} would hold them otherwise"
        chooser.tell(named.place, key, said, f"Leave `{key}` out, or write {choice}.")
        return None
    if len(openers) > 1:
        chooser.tell(DEFAULT, key, f"{said}, which several open", f"Say which: {choice}.")
        return None
    return Node({"name": Node(openers[0], STORED), **node.mapping}, node.place, node.key_place)


def _with_stored_options(
    key: str,
    node: Node,
    chooser: Chooser,
    stored: Mapping[str, Any],
    quantizers: Mapping[str, type[Quantizer]],
) -> Node:
    """Return a quantizer's node with the options that the model's config tells."""
    named = node.mapping.get("name", node)
    cls = quantizers.get(str(named.value))
    options = {name: one for name, one in node.mapping.items() if name != "name"}
    for name, value in (cls.stored_options(stored) if cls else {}).items():
        given = options.get(name)
        if given is not None and given.place != DEFAULT and given.plain() != value:
            said = f"expected {described(value)}, as the weights are stored, found "
            said += described(given.plain())
            chooser.tell(given.place, dotted((key, name)), said, "Leave it out.")
        else:
            options[name] = Node(value, STORED)
    return Node({"name": named, **options}, node.place, node.key_place)


def _quantizers(catalogue: Catalogue) -> dict[str, type[Quantizer]]:
    """Return the classes of the installed quantizers that say what they open; they are light."""
    found = {}
    for name in catalogue.names("quantizers"):
        try:
            value = plugin_of(catalogue.find("quantizers", name))
        except (BrokenPlugin, AmbiguousPlugin):
            continue  # fatal only where it is chosen by name; `luthier plugins` tells of it
        cls = value if isinstance(value, type) else type(value)
        if issubclass(cls, Quantizer):
            found[name] = cls
    return found
