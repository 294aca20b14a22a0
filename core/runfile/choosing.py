"""Choosing the plugins that a run file names; what is wrong is collected as problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.core.errors import AmbiguousPlugin, BrokenPlugin, UnknownPlugin
from luthier.core.kinds import Kind, added_specs, kinds_of
from luthier.core.plugin import Plugin, install_line, missing_packages
from luthier.core.problems import Place, Problem, described
from luthier.core.runfile.merging import merged
from luthier.core.runfile.nodes import COMMAND_LINE, DEFAULT, Node, dotted, node_of
from luthier.core.runfile.validation import validate
from luthier.core.selection import plugin_of, require_sound_hooks
from luthier.core.wiring import Selected
from luthier.registry import Catalogue, Entry


class Chooser:
    """Finds, checks and configures plugins for one run file."""

    def __init__(self, catalogue: Catalogue, problems: list[Problem], *, training: bool) -> None:
        """Choose from `catalogue`; for inference, pass over what only training needs."""
        self.catalogue = catalogue
        self.kinds = kinds_of(catalogue)
        self.problems = problems
        self.training = training
        self.chosen: list[tuple[Selected, Place, str]] = []
        """What was chosen so far, with the place and the key that chose it."""
        self.notes: list[str] = []
        """What is no fault, and yet to be told: what could not be found out, and what was taken."""

    def tell(self, place: Place, key: str, problem: str, remedy: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(place, key, problem, remedy))

    def default_model(self) -> Node:
        """Return the path of the model that a run has where its file names none."""
        try:
            return Node(self.catalogue.find("defaults", "models").target, DEFAULT)
        except (UnknownPlugin, AmbiguousPlugin) as fault:
            self.tell(DEFAULT, "model.path", fault.problem, "Name a model: `model: {path: ...}`.")
            return Node("", DEFAULT)

    def default(self, kind: Kind) -> Node:
        """Return what the installed distributions name as this kind's default, or nothing."""
        try:
            if kind.many:
                owned = [
                    n for n in self.catalogue.names("defaults") if n.startswith(f"{kind.name}.")
                ]
                names = [self.catalogue.default(kind.name, n) for n in owned]
                return node_of(names, DEFAULT) if names else Node(None, DEFAULT)
            return Node(self.catalogue.default(kind.name), DEFAULT)
        except UnknownPlugin:
            return Node(None, DEFAULT)
        except AmbiguousPlugin as fault:
            self.tell(DEFAULT, kind.key or kind.name, fault.problem, "Name one in the run file.")
            return Node(None, DEFAULT)

    def slot(self, kind: Kind, node: Node | None) -> Node:
        """Return what names a plugin of a kind, or the default of that kind.

        Options that the command line sets where nothing is named are those of the default. A list
        has its defaults beside what it names.
        """
        if kind.many:
            return _beside_defaults(node, self.default(kind))
        if node is None or node.value is None:
            return self.default(kind)
        if node.place == COMMAND_LINE and node.mapping and "name" not in node.mapping:
            default = self.default(kind)
            return node if default.value is None else merged(default, node, (str(kind.key),))
        return node

    def many(self, kind: Kind, node: Node) -> None:
        """Choose every plugin of a list, and set its options in place."""
        assert kind.key is not None  # noqa: S101 - the caller asks only for kinds with a key
        if not isinstance(node.value, list):
            remedy = f"Write `{kind.key}: [NAME, {{name: NAME, option: value}}]`."
            if isinstance(node.value, str):
                remedy = f"Write it in brackets: `{kind.key}: [{node.value}]`."
            said = f"expected a list, found {described(node.value)}"
            self.tell(node.place, kind.key, said, remedy)
            return
        before = len(self.chosen)
        for index, item in enumerate(node.value):
            path = (kind.key, index)
            if (name := name_left_out(item)) is None:
                node.value[index] = self.select(kind, item, path)
            else:
                self._found(kind, item, Node(name, item.place), path)  # it may be misspelt
        if not kind.repeats:
            self._once(before)

    def _once(self, before: int) -> None:
        """Tell of plugins that are chosen again, of all since so many, and leave them out."""
        first: dict[str, str] = {}
        for one, place, key in self.chosen[before:]:
            if one.name in first:
                # one manager cannot hold two by one name; nor is it said which would act
                said = f"{one} is chosen twice (first as {first[one.name]})"
                self.tell(place, key, said, "Keep one of the two.")
            first.setdefault(one.name, key)
        # what the second would conflict with, the first does
        self.chosen[before:] = [c for c in self.chosen[before:] if c[2] == first[c[0].name]]

    def select(self, kind: Kind, node: Node, path: tuple[str | int, ...]) -> Node:
        """Choose the plugin that a node names; return the node with all its options set."""
        named = node.mapping.get("name", node)
        found = self._found(kind, node, named, path)
        if found is None:
            return node
        entry, value = found
        cls = value if isinstance(value, type) else type(value)
        if not self.training and cls.serves == "training":
            return node
        if absent := missing_packages(cls):
            said = f"{kind.name}/{entry.name} needs {', '.join(absent)}, not installed here"
            self.tell(named.place, dotted(path), said, f"Install it: {install_line(cls)}.")
            return node
        options = Node({k: n for k, n in node.mapping.items() if k != "name"}, node.place)
        plugin = self._configured(value, options, path)
        if plugin is None:
            return node
        alike = [c for c, _, _ in self.chosen if (c.kind, c.name) == (kind.name, entry.name)]
        number = 1 + len(alike) if kind.repeats else 1
        chosen = Selected(kind.name, entry.name, plugin, entry, added_specs(self.kinds), number)
        if not self._taken(chosen, named.place, path):
            return node
        result = Node({"name": named, **options.mapping}, node.place, node.key_place)
        if isinstance(value, type):
            put_defaults(result, plugin.model_dump(mode="json"))
        return result

    def _found(
        self, kind: Kind, node: Node, named: Node, path: tuple[str | int, ...]
    ) -> tuple[Entry, type[Plugin] | Plugin] | None:
        """Return the entry that a node names, and the plugin behind it."""
        key = dotted(path)
        if not isinstance(named.value, str) or not named.value:
            names = ", ".join(self.catalogue.names(kind.name)) or "none"
            said = f"expected the name of one of the {kind.name}, found {described(node.value)}"
            if isinstance(node.value, dict):
                said = f"it does not say which of the {kind.name}: the key `name` is missing"
            if joined := [one for one in node.mapping if str(one).startswith("name:")]:
                said = f"there is no space behind the colon of `{joined[0]}`, so it is all a key"
            example = f"{path[-1]}: " if isinstance(path[-1], str) else "- "
            remedy = f"Write `{example}{{name: NAME, option: value}}`. Installed: {names}."
            self.tell(named.place, key, said, remedy)
            return None
        try:
            entry = self.catalogue.find(kind.name, named.value)
            return entry, plugin_of(entry)
        except UnknownPlugin as fault:
            keys = [self.kinds[one].key for one in fault.elsewhere if one in self.kinds]
            meant = " or ".join(f"`{other}: {fault.name}`" for other in keys if other)
            remedy = f"Write {meant}, if that is meant. {fault.remedy}." if meant else ""
            self.tell(named.place, key, fault.problem, remedy or f"{fault.remedy}.")
        except (AmbiguousPlugin, BrokenPlugin) as fault:
            self.tell(named.place, key, fault.problem, f"{fault.remedy}.")
        return None

    def _configured(
        self, value: type[Plugin] | Plugin, options: Node, path: tuple[str | int, ...]
    ) -> Plugin | None:
        """Return a class with its options, or a ready instance with some of its values replaced."""
        if isinstance(value, type):
            return validate(value, options, path, self.problems)
        if not options.mapping:
            return value
        kept = node_of(value.model_dump(mode="json"), DEFAULT)
        whole = Node({**kept.mapping, **options.mapping}, options.place)
        changed = validate(type(value), whole, path, self.problems)
        if changed is None:
            return None
        # what is not named stays the very object: its class may be one that JSON does not tell
        return value.model_copy(update={key: getattr(changed, key) for key in options.mapping})

    def _taken(self, chosen: Selected, place: Place, path: tuple[str | int, ...]) -> bool:
        """Add a plugin to those chosen, unless its hooks are not what the specifications say."""
        try:
            require_sound_hooks(chosen)
        except BrokenPlugin as fault:
            self.tell(place, dotted(path), fault.problem, f"{fault.remedy}.")
            return False
        self.chosen.append((chosen, place, dotted(path)))
        return True


LEFT_OUT = "~"
"""What stands before the name of a default that a list is to do without."""


def name_left_out(item: Node) -> str | None:
    """Return the name of the default that an item of a list leaves out; None for a plugin."""
    text = item.value
    return text[1:] if isinstance(text, str) and text.startswith(LEFT_OUT) else None


def _beside_defaults(node: Node | None, defaults: Node) -> Node:
    """Return a list with the defaults behind it that it neither names nor leaves out."""
    if node is None or node.value is None:
        return defaults
    if isinstance(node.value, list):
        named = {_plain_name(item) for item in node.value}
        node.value += [one for one in defaults.items if _plain_name(one) not in named]
    return node


def _plain_name(item: Node) -> str:
    """Return the name in an item of a list, without the distribution before it."""
    named = name_left_out(item) or item.mapping.get("name", item).value
    return str(named).rpartition(":")[2]


def put_defaults(node: Node, values: Mapping[str, Any]) -> None:
    """Add to a mapping the values that it does not hold, as defaults."""
    for key, value in values.items():
        if key not in node.mapping:
            node.mapping[key] = node_of(value, DEFAULT)
