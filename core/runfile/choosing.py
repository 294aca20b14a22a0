"""Choosing the plugins that a run file names; what is wrong is collected as problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.core.errors import AmbiguousPlugin, BrokenPlugin, UnknownPlugin
from luthier.core.kinds import Kind, kinds_of
from luthier.core.plugin import Plugin, install_line, missing_packages
from luthier.core.problems import Place, Problem
from luthier.core.runfile.nodes import DEFAULT, Node, dotted, node_of
from luthier.core.runfile.validation import described, validate
from luthier.core.selection import plugin_of
from luthier.core.wiring import Selected, manager_of
from luthier.registry import Catalogue


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
                names = [self.catalogue.find("defaults", n).target for n in owned]
                return node_of(names, DEFAULT) if names else Node(None, DEFAULT)
            return Node(self.catalogue.find("defaults", kind.name).target, DEFAULT)
        except UnknownPlugin:
            return Node(None, DEFAULT)
        except AmbiguousPlugin as fault:
            self.tell(DEFAULT, kind.key or kind.name, fault.problem, "Name one in the run file.")
            return Node(None, DEFAULT)

    def many(self, kind: Kind, node: Node) -> None:
        """Choose every plugin of a list, and set its options in place."""
        assert kind.key is not None  # noqa: S101 - the caller asks only for kinds with a key
        if not isinstance(node.value, list):
            remedy = f"Write `{kind.key}: [NAME, {{name: NAME, option: value}}]`."
            said = f"expected a list, found {described(node.value)}"
            self.tell(node.place, kind.key, said, remedy)
            return
        for index, item in enumerate(node.value):
            node.value[index] = self.select(kind, item, (kind.key, index))

    def select(self, kind: Kind, node: Node, path: tuple[str | int, ...]) -> Node:
        """Choose the plugin that a node names; return the node with all its options set."""
        key = dotted(path)
        name_node = node.mapping.get("name", node)
        if not isinstance(name_node.value, str) or not name_node.value:
            names = ", ".join(self.catalogue.names(kind.name))
            said = f"expected the name of one of the {kind.name}, found {described(node.value)}"
            if isinstance(node.value, dict):
                said = f"it does not say which of the {kind.name}: the key `name` is missing"
            remedy = f"Write NAME or {{name: NAME, option: value}}. Installed: {names or 'none'}."
            self.tell(name_node.place, key, said, remedy)
            return node
        try:
            entry = self.catalogue.find(kind.name, name_node.value)
            value = plugin_of(entry)
        except (UnknownPlugin, AmbiguousPlugin, BrokenPlugin) as fault:
            self.tell(name_node.place, key, fault.problem, f"{fault.remedy}.")
            return node
        cls = value if isinstance(value, type) else type(value)
        if not self.training and cls.serves == "training":
            return node
        if absent := missing_packages(cls):
            said = f"{kind.name}/{entry.name} needs {', '.join(absent)}, not installed here"
            self.tell(name_node.place, key, said, f"Install it: {install_line(cls)}.")
            return node
        options = Node({k: n for k, n in node.mapping.items() if k != "name"}, node.place)
        plugin = self._configured(value, options, path)
        if plugin is None:
            return node
        chosen = Selected(kind.name, entry.name, plugin, entry)
        try:
            manager_of([chosen], [k.specs for k in self.kinds.values() if k.specs is not None])
        except BrokenPlugin as fault:
            self.tell(name_node.place, key, fault.problem, f"{fault.remedy}.")
            return node
        self.chosen.append((chosen, name_node.place, key))
        result = Node({"name": name_node, **options.mapping}, node.place, node.key_place)
        if isinstance(value, type):
            put_defaults(result, plugin.model_dump(mode="json"))
        return result

    def _configured(
        self, value: type[Plugin] | Plugin, options: Node, path: tuple[str | int, ...]
    ) -> Plugin | None:
        """Return a class with its options, or a ready instance with some of its values replaced."""
        if isinstance(value, type):
            return validate(value, options, path, self.problems)
        if not options.mapping:
            return value
        kept = node_of(value.model_dump(mode="json"), DEFAULT)
        return validate(type(value), Node({**kept.mapping, **options.mapping}, options.place),
                        path, self.problems)  # fmt: skip


def put_defaults(node: Node, values: Mapping[str, Any]) -> None:
    """Add to a mapping the values that it does not hold, as defaults."""
    for key, value in values.items():
        if key not in node.mapping:
            node.mapping[key] = node_of(value, DEFAULT)
