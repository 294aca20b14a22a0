"""From the tree of a run file to a run: sections validated, plugins chosen, all of it judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from luthier.core.compatibility import conflicts
from luthier.core.dataset import DatasetSpec
from luthier.core.device import Device, probe
from luthier.core.errors import BadModel, LuthierError
from luthier.core.families import Family, config_of, is_hub_id, no_model_at, recognise
from luthier.core.problems import BadRunFile, Place, Problem
from luthier.core.runfile.choosing import Chooser, put_defaults
from luthier.core.runfile.nodes import DEFAULT, Node, base_of, dotted
from luthier.core.runfile.plugin_files import plugin_files
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

    def run(self, tree: Node, name: str) -> Run:
        catalogue = self.catalogue.adding(plugin_files(tree, self.problems))
        self.chooser = Chooser(catalogue, self.problems, training=self.training)
        self.kinds = self.chooser.kinds
        self._refuse_unknown_keys(tree)
        sections = {key: self._section(tree, key, cls) for key, cls in SECTIONS.items()}
        model = sections["model"]
        model_base = base_of(tree.mapping["model"].at(("path",)))
        if isinstance(model, ModelSection):
            self._family(tree.mapping["model"], model, model_base)
        self._slots(tree)
        data = self._datasets(tree) if self.training else []
        output = self._output(tree, name)
        self._judge()
        if self.problems or not all(sections.values()):
            raise BadRunFile(self.problems)
        selected = [
            one for one, _, _ in self.chooser.chosen if one.kind not in {"sources", "formats"}
        ]
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
        if key == "model" and "path" not in node.mapping:
            # the built-in model is a plugin's, so its name is a default like any other
            node.mapping.update(path=self.chooser.default_model())
        section = validate(cls, node, (key,), self.problems)
        if section is not None:
            put_defaults(node, section.model_dump(mode="json"))
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

    # --- plugins ----------------------------------------------------------------------------

    def _slots(self, tree: Node) -> None:
        for kind in self.kinds.values():
            unneeded = not self.training and kind.serves == "training"
            if kind.key is None or kind.place != "run" or unneeded:
                continue
            node = tree.mapping.get(kind.key) or Node(None, DEFAULT)
            if node.value is None:
                node = self.chooser.default(kind)
            if kind.name == "templates":
                node = self._template(node)
            if node.value is None:
                continue
            if kind.many:
                self.chooser.many(kind, node)
            else:
                node = self.chooser.select(kind, node, (kind.key,))
            _put(tree, kind.key, node)

    def _template(self, node: Node) -> Node:
        """Return the template's node, with the family's template in place of `auto` or nothing."""
        named = node.mapping.get("name", node)
        if named.value not in {None, AUTO}:
            return node
        family = next((s for s, _, _ in self.chooser.chosen if s.kind == "families"), None)
        if family is None or not isinstance(family.plugin, Family):
            return Node(None, node.place)
        if family.plugin.template is None and not self.training:
            return Node(None, node.place)
        if family.plugin.template is None:
            names = ", ".join(self.chooser.catalogue.names("templates"))
            said = f"the family {family.name!r} has no chat template of its own"
            self._tell(node.place, "template", said, f"Name one of: {names}.")
            return Node(None, node.place)
        chosen = Node(family.plugin.template, Place(f"family {family.name}"), node.key_place)
        if isinstance(node.value, dict):
            return Node({**node.value, "name": chosen}, node.place, node.key_place)
        return chosen

    # --- model and data ---------------------------------------------------------------------

    def _family(self, node: Node, model: ModelSection, base: Path) -> None:
        place = node.at(("path",)).place
        folder = (base / Path(model.path).expanduser()).resolve()
        named = node.mapping.get("family")
        try:
            found = self.config if self.config is not None else config_of(folder)
            name = model.family or recognise(model.path, found, self.chooser.catalogue)
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
        self.chooser.select(self.kinds["families"], given, ("model", "family"))
        _put(node, "family", given)
        if folder.is_dir():
            path = node.at(("path",))
            path.value = str(folder)

    def _datasets(self, tree: Node) -> list[DatasetSpec]:
        node = tree.mapping.get("data")
        if node is None or node.value in (None, []):
            place = node.place if node is not None else tree.place
            said = "no dataset is named"
            self._tell(
                place, "data", said, "Add `data: [{path: FILE}]`; the path may be hf:owner/name."
            )
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
                if scheme in self.chooser.catalogue.names("sources") and ":" in section.path:
                    slot = Node(scheme, own.at(("path",)).place)
            slot = slot if slot.value is not None else self.chooser.default(kind)
            count = len(self.chooser.chosen)
            node.mapping[key] = self.chooser.select(kind, slot, (*path, key))
            slots[key] = self.chooser.chosen[count][0] if len(self.chooser.chosen) > count else None
        data.items[index] = node
        if section is None or slots["source"] is None or slots["format"] is None:
            return None
        put_defaults(node, section.model_dump(mode="json"))
        spec = DatasetSpec(section, base_of(own.at(("path",))), slots["source"], slots["format"])
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
        places = {id(one.plugin): (place, key) for one, place, key in self.chooser.chosen}
        for conflict in conflicts([one for one, _, _ in self.chooser.chosen], self.device):
            place, key = places[id(conflict.culprit.plugin)]
            self._tell(place, key, conflict.problem, conflict.remedy)

    def _tell(self, place: Place, key: str, problem: str, remedy: str) -> None:
        self.problems.append(Problem(place, key, problem, remedy))


def _put(tree: Node, key: str, node: Node) -> None:
    tree.mapping[key] = node
