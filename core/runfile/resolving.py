"""From the tree of a run file to a run: sections validated, plugins chosen, all of it judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from luthier.core.compatibility import conflicts
from luthier.core.dataset import DatasetSpec
from luthier.core.device import Device, probe
from luthier.core.errors import (
    AmbiguousPlugin,
    BadModel,
    BrokenPlugin,
    LuthierError,
    UnknownPlugin,
)
from luthier.core.families import Family, config_of, is_hub_id, no_model_at, recognise
from luthier.core.kinds import Kind, kinds_of
from luthier.core.plugin import Plugin, install_line, missing_packages
from luthier.core.problems import BadRunFile, Place, Problem
from luthier.core.runfile.nodes import DEFAULT, Node, dotted, node_of
from luthier.core.runfile.validation import described, validate
from luthier.core.sections import (
    SECTIONS,
    CheckpointSection,
    DatasetSection,
    EncodingSection,
    GenerationSection,
    ModelSection,
    Section,
    TrainingSection,
)
from luthier.core.selection import entries_of_file, plugin_of
from luthier.core.wiring import Selected, manager_of
from luthier.registry import Catalogue
from luthier.registry.errors import nearest

AUTO = "auto"
"""As a template's name: the one of the model's family."""


@dataclass(frozen=True)
class Run:
    """A run file, resolved: every value is set, every plugin chosen and checked."""

    model: ModelSection
    encoding: EncodingSection
    training: TrainingSection
    checkpoints: CheckpointSection
    generation: GenerationSection
    data: tuple[DatasetSpec, ...]
    output: Path
    """The run folder."""
    selected: tuple[Selected, ...]
    """The plugins of the run; those of a dataset stand in its DatasetSpec."""
    model_base: Path
    """The folder that a relative model path is found from."""
    tree: Node = field(repr=False)
    """Every value with its place, defaults included."""
    device: Device

    def of(self, *kinds: str) -> list[Selected]:
        """Return the chosen plugins of these kinds, in the order of the kinds, then of the file."""
        return [one for kind in kinds for one in self.selected if one.kind == kind]

    def except_of(self, *kinds: str) -> list[Selected]:
        """Return the chosen plugins of all other kinds."""
        return [one for one in self.selected if one.kind not in kinds]

    @property
    def dtype(self) -> str:
        """Name of the precision of the weights: the file's, or what suits the device."""
        return self.device.dtype if self.model.dtype == "auto" else self.model.dtype

    @property
    def family(self) -> Selected | None:
        """The model's family; None while the model is on a hub and nobody has looked."""
        return next(iter(self.of("families")), None)


def resolve(
    tree: Node,
    *,
    name: str = "run",
    device: Device | None = None,
    catalogue: Catalogue | None = None,
    config: Mapping[str, Any] | None = None,
    purpose: Literal["training", "inference"] = "training",
) -> Run:
    """Return the run that a tree of values describes.

    Args:
        tree: what `read_tree` gave.
        name: what the run folder is called where `output` is not given.
        device: what to judge for; this machine's where it is None.
        catalogue: the plugins there are; the installed ones where it is None.
        config: the model's config, where it has been fetched from a hub.
        purpose: for inference, data and what only training needs is neither looked at nor needed.

    Raises:
        BadRunFile: with every problem that was found.
    """
    resolver = _Resolver(
        catalogue or Catalogue.installed(), device or probe(), config, purpose == "training"
    )
    return resolver.run(tree.copy(), name)


class _Resolver:
    """One pass over one run file; problems are collected, and raised together at the end."""

    def __init__(
        self,
        catalogue: Catalogue,
        device: Device,
        config: Mapping[str, Any] | None,
        training: bool,  # noqa: FBT001 - a private constructor, called once
    ) -> None:
        self.training = training
        self.catalogue = catalogue
        self.device = device
        self.config = config
        self.problems: list[Problem] = []
        self.chosen: list[tuple[Selected, Place, str]] = []

    def run(self, tree: Node, name: str) -> Run:
        self.catalogue = self.catalogue.adding(self._plugin_files(tree))
        self.kinds = kinds_of(self.catalogue)
        self._refuse_unknown_keys(tree)
        sections = {key: self._section(tree, key, cls) for key, cls in SECTIONS.items()}
        model = sections["model"]
        model_base = _base_of(tree.mapping["model"].at(("path",)))
        if isinstance(model, ModelSection):
            self._family(tree.mapping["model"], model, model_base)
        self._slots(tree)
        data = self._datasets(tree) if self.training else []
        output = self._output(tree, name)
        self._judge()
        if self.problems or not all(sections.values()):
            raise BadRunFile(self.problems)
        selected = [one for one, _, _ in self.chosen if one.kind not in {"sources", "formats"}]
        return Run(
            **sections,  # type: ignore[arg-type]
            data=tuple(data), output=output, selected=tuple(selected),
            model_base=model_base, tree=tree, device=self.device,
        )  # fmt: skip

    # --- luthier's own sections -------------------------------------------------------------

    def _refuse_unknown_keys(self, tree: Node) -> None:
        slots = [k.key for k in self.kinds.values() if k.key and k.place == "run"]
        known = [*SECTIONS, "data", "output", "extends", "plugins", *slots]
        for key, node in tree.mapping.items():
            if key not in known:
                remedy = f"{nearest(key, known)}Known keys: {', '.join(known)}."
                self._tell(node.key_place, key, "unknown key", remedy)

    def _section(self, tree: Node, key: str, cls: type[Section]) -> Section | None:
        node = tree.mapping.get(key) or Node({}, DEFAULT)
        if node.value is None:
            node = Node({}, node.place, node.key_place)
        if key == "model" and isinstance(node.value, str):
            node = Node({"path": node}, node.place, node.key_place)
        _put(tree, key, node)
        section = validate(cls, node, (key,), self.problems)
        if section is not None:
            _fill(node, section.model_dump(mode="json"))
        return section

    def _output(self, tree: Node, name: str) -> Path:
        node = tree.mapping.get("output") or Node(f"runs/{name}", DEFAULT)
        if not isinstance(node.value, str) or not node.value:
            remedy = "Give the folder that the run is written to, such as `runs/mine`."
            said = f"expected a path, found {described(node.value)}"
            self._tell(node.place, "output", said, remedy)
            return Path("runs") / name
        _put(tree, "output", node)
        # the one path that is found from where the user stands: a run file may be shared
        output = Path(node.value).expanduser().absolute()
        blocking = next((p for p in (output, *output.parents) if p.exists()), output)
        if not blocking.is_dir():
            said = f"{blocking} is a file, so no folder can be made there"
            self._tell(node.place, "output", said, "Choose another folder.")
        return output

    def _plugin_files(self, tree: Node) -> Iterator[Any]:
        node = tree.mapping.get("plugins")
        if node is None or node.value is None:
            return
        for index, item in enumerate(node.items if isinstance(node.value, list) else [node]):
            key = f"plugins.{index}"
            if not isinstance(item.value, str):
                said = f"expected the path of a .py file, found {described(item.value)}"
                self._tell(item.place, key, said, "Name a Python file beside the run file.")
                continue
            path = (_base_of(item) / item.value).resolve()
            if owner := self._foreign_folder(tree, path):
                said = f"{path.name} lies in the folder of {owner}, and data is never run as code"
                self._tell(item.place, key, said, "Move it beside the run file.")
                continue
            try:
                yield from entries_of_file(path)
                item.value = str(path)
            except LuthierError as fault:
                remedy = "The path is found from the folder of the run file that names it."
                self._tell(item.place, key, str(fault), remedy)

    def _foreign_folder(self, tree: Node, path: Path) -> str | None:
        """Return whose folder `path` lies in, if it is that of a model or a dataset."""
        model = tree.at(("model", "path"))
        owners = [("the model", model)]
        data = tree.mapping.get("data")
        for item in data.items if data else []:
            owners.append(("a dataset", item.mapping.get("path", item)))
        for owner, node in owners:
            if isinstance(node.value, str):
                folder = (_base_of(node) / node.value).resolve()
                if folder.is_dir() and path.is_relative_to(folder) and folder != _base_of(node):
                    return owner
        return None

    # --- plugins ----------------------------------------------------------------------------

    def _slots(self, tree: Node) -> None:
        for kind in self.kinds.values():
            unneeded = not self.training and kind.serves == "training"
            if kind.key is None or kind.place != "run" or unneeded:
                continue
            node = tree.mapping.get(kind.key) or Node(None, DEFAULT)
            if node.value is None:
                node = self._default(kind)
            if kind.name == "templates":
                node = self._template(node)
            if node.value is None:
                continue
            if kind.many:
                self._many(kind, node)
            else:
                node = self._select(kind, node, (kind.key,))
            _put(tree, kind.key, node)

    def _many(self, kind: Kind, node: Node) -> None:
        assert kind.key is not None  # noqa: S101 - the caller asks only for kinds with a key
        if not isinstance(node.value, list):
            remedy = f"Write `{kind.key}: [NAME, {{name: NAME, option: value}}]`."
            said = f"expected a list, found {described(node.value)}"
            self._tell(node.place, kind.key, said, remedy)
            return
        for index, item in enumerate(node.value):
            node.value[index] = self._select(kind, item, (kind.key, index))

    def _default(self, kind: Kind) -> Node:
        """Return what the installed distributions name as this kind's default, or nothing."""
        try:
            if kind.many:
                owned = [n for n in self.catalogue.names("defaults") if n.startswith(f"{kind.name}.")]
                names = [self.catalogue.find("defaults", n).target for n in owned]
                return node_of(names, DEFAULT) if names else Node(None, DEFAULT)
            return Node(self.catalogue.find("defaults", kind.name).target, DEFAULT)
        except UnknownPlugin:
            return Node(None, DEFAULT)
        except AmbiguousPlugin as fault:
            self._tell(DEFAULT, kind.key or kind.name, fault.problem, "Name one in the run file.")
            return Node(None, DEFAULT)

    def _template(self, node: Node) -> Node:
        """Return the template's node, with the family's template in place of `auto` or nothing."""
        named = node.mapping.get("name", node)
        if named.value not in {None, AUTO}:
            return node
        family = next((s for s, _, _ in self.chosen if s.kind == "families"), None)
        if family is None or not isinstance(family.plugin, Family):
            return Node(None, node.place)
        if family.plugin.template is None and not self.training:
            return Node(None, node.place)
        if family.plugin.template is None:
            names = ", ".join(self.catalogue.names("templates"))
            said = f"the family {family.name!r} has no chat template of its own"
            self._tell(node.place, "template", said, f"Name one of: {names}.")
            return Node(None, node.place)
        chosen = Node(family.plugin.template, Place(f"family {family.name}"), node.key_place)
        if isinstance(node.value, dict):
            return Node({**node.value, "name": chosen}, node.place, node.key_place)
        return chosen

    def _select(self, kind: Kind, node: Node, path: tuple[str | int, ...]) -> Node:
        """Choose the plugin that a node names; return the node with all its options set."""
        key = dotted(path)
        name_node = node.mapping.get("name", node)
        if not isinstance(name_node.value, str) or not name_node.value:
            names = ", ".join(self.catalogue.names(kind.name))
            said = f"expected the name of one of the {kind.name}, found {described(node.value)}"
            if isinstance(node.value, dict):
                said = f"it does not say which of the {kind.name}: the key `name` is missing"
            remedy = f"Write NAME or {{name: NAME, option: value}}. Installed: {names or 'none'}."
            self._tell(name_node.place, key, said, remedy)
            return node
        try:
            entry = self.catalogue.find(kind.name, name_node.value)
            value = plugin_of(entry)
        except (UnknownPlugin, AmbiguousPlugin, BrokenPlugin) as fault:
            self._tell(name_node.place, key, fault.problem, f"{fault.remedy}.")
            return node
        cls = value if isinstance(value, type) else type(value)
        if not self.training and cls.serves == "training":
            return node
        if absent := missing_packages(cls):
            said = f"{kind.name}/{entry.name} needs {', '.join(absent)}, not installed here"
            self._tell(name_node.place, key, said, f"Install it: {install_line(cls)}.")
            return node
        options = Node({k: n for k, n in node.mapping.items() if k != "name"}, node.place)
        plugin = self._configured(value, options, path)
        if plugin is None:
            return node
        chosen = Selected(kind.name, entry.name, plugin, entry)
        try:
            manager_of([chosen], [k.specs for k in self.kinds.values() if k.specs is not None])
        except BrokenPlugin as fault:
            self._tell(name_node.place, key, fault.problem, f"{fault.remedy}.")
            return node
        self.chosen.append((chosen, name_node.place, key))
        result = Node({"name": name_node, **options.mapping}, node.place, node.key_place)
        if isinstance(value, type):
            _fill(result, plugin.model_dump(mode="json"))
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

    # --- model and data ---------------------------------------------------------------------

    def _family(self, node: Node, model: ModelSection, base: Path) -> None:
        place = node.at(("path",)).place
        folder = (base / Path(model.path).expanduser()).resolve()
        named = node.mapping.get("family")
        try:
            found = self.config if self.config is not None else config_of(folder)
            name = model.family or recognise(model.path, found, self.catalogue)
            if found is None and name is None and folder.is_dir():
                said = f"{folder} holds no config.json, so it is no model"
                self._tell(place, "model.path", said, "Name a folder that `save_pretrained` wrote.")
                return
        except BadModel as fault:
            self._tell(place, "model.path", str(fault), "Repair the file, or name another model.")
            return
        except LuthierError as fault:
            remedy = "`luthier plugins families` lists those there are."
            self._tell(place, "model.family", str(fault), remedy)
            return
        if name is None and not is_hub_id(model.path):
            problem, _, remedy = no_model_at(model.path).partition(". ")
            self._tell(place, "model.path", problem, remedy)
            return
        if name is None:
            return
        given = named if named is not None and named.value else Node(name, Place("recognised"))
        self._select(self.kinds["families"], given, ("model", "family"))
        _put(node, "family", given)
        if folder.is_dir():
            path = node.at(("path",))
            path.value = str(folder)

    def _datasets(self, tree: Node) -> list[DatasetSpec]:
        node = tree.mapping.get("data")
        if node is None or node.value in (None, []):
            place = node.place if node is not None else tree.place
            said = "no dataset is named"
            self._tell(place, "data", said, "Add `data: [{path: FILE}]`; the path may be hf:owner/name.")
            return []
        if not isinstance(node.value, list):
            node.value = [Node(node.value, node.place)]
        found = [self._dataset(node, index) for index in range(len(node.items))]
        return [spec for spec in found if spec is not None]

    def _dataset(self, data: Node, index: int) -> DatasetSpec | None:
        node = data.items[index]
        path: tuple[str | int, ...] = ("data", index)
        if isinstance(node.value, str):
            node = Node({"path": node}, node.place, node.key_place)
        if not isinstance(node.value, dict):
            said = f"expected a path or a mapping, found {described(node.value)}"
            self._tell(node.place, dotted(path), said, "Write `- {path: FILE, format: NAME}`.")
            return None
        own = Node({k: n for k, n in node.mapping.items() if k not in {"source", "format"}},
                   node.place)  # fmt: skip
        section = validate(DatasetSection, own, path, self.problems)
        slots = {}
        for kind in (self.kinds["sources"], self.kinds["formats"]):
            key = str(kind.key)
            slot = node.mapping.get(key) or Node(None, DEFAULT)
            if slot.value is None and kind.name == "sources" and section is not None:
                scheme = section.path.partition(":")[0]
                if scheme in self.catalogue.names("sources") and ":" in section.path:
                    slot = Node(scheme, own.at(("path",)).place)
            slot = slot if slot.value is not None else self._default(kind)
            count = len(self.chosen)
            node.mapping[key] = self._select(kind, slot, (*path, key))
            slots[key] = self.chosen[count][0] if len(self.chosen) > count else None
        data.items[index] = node
        if section is None or slots["source"] is None or slots["format"] is None:
            return None
        _fill(node, section.model_dump(mode="json"))
        spec = DatasetSpec(section, _base_of(own.at(("path",))), slots["source"], slots["format"])
        self._look_at(spec, node, path)
        return spec

    def _look_at(self, spec: DatasetSpec, node: Node, path: tuple[str | int, ...]) -> None:
        for findings in manager_of([spec.source, spec.format]).hook.check_dataset(spec=spec):
            for finding in findings or ():
                steps = tuple(finding.key.split(".")) if finding.key else ()
                key = dotted((*path, *steps))
                self._tell(node.at(steps).place, key, finding.problem, finding.remedy)
        if spec.local_path.exists():
            node.mapping["path"].value = str(spec.local_path)

    def _judge(self) -> None:
        places = {id(one.plugin): (place, key) for one, place, key in self.chosen}
        for conflict in conflicts([one for one, _, _ in self.chosen], self.device):
            place, key = places[id(conflict.culprit.plugin)]
            self._tell(place, key, conflict.problem, conflict.remedy)

    def _tell(self, place: Place, key: str, problem: str, remedy: str) -> None:
        self.problems.append(Problem(place, key, problem, remedy))


def _base_of(node: Node) -> Path:
    """Return the folder that a relative path is found from: that of the file which names it."""
    file = Path(node.place.origin)
    return file.parent.resolve() if node.place.line is not None and file.is_file() else Path.cwd()


def _put(tree: Node, key: str, node: Node) -> None:
    tree.mapping[key] = node


def _fill(node: Node, values: Mapping[str, Any]) -> None:
    """Add to a mapping the values that it does not hold, as defaults."""
    for key, value in values.items():
        if key not in node.mapping:
            node.mapping[key] = node_of(value, DEFAULT)


