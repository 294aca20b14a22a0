"""From the tree of a run file to a run: sections validated, plugins chosen, all of it judged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from luthier.core.circumstances import (
    NEW_TOKENS,
    NOTHING_HELD_OUT,
    STREAMED,
    Circumstance,
    Precision,
    in_processes,
)
from luthier.core.compatibility import conflicts
from luthier.core.data.dataset import Validation
from luthier.core.device import Device, probe
from luthier.core.kinds import RESERVED, Kind, broken_kinds
from luthier.core.problems import BadRunFile, Finding, Place, Problem, described
from luthier.core.run.ranks import world
from luthier.core.runfile.adapters import require_adapters
from luthier.core.runfile.answering import INFERENCE, TRAINING, require_answers
from luthier.core.runfile.choosing import Chooser, put_defaults
from luthier.core.runfile.datasets import datasets_of
from luthier.core.runfile.defaulting import leave_out_conflicting, leave_out_faulted
from luthier.core.runfile.measuring import judge_measuring
from luthier.core.runfile.models import findings, tell_findings
from luthier.core.runfile.nodes import (
    COMMAND_LINE,
    DEFAULT,
    Node,
    UnusablePath,
    base_of,
    opened,
    path_of,
)
from luthier.core.runfile.order import judge_order
from luthier.core.runfile.plugin_files import with_plugin_files
from luthier.core.runfile.precision import judge_precision
from luthier.core.runfile.quantizing import choose_quantizer, stored_in
from luthier.core.runfile.recognition import (
    choose_family,
    pin_revision,
    take_short_name,
    tokenizer_folders,
    without_options,
)
from luthier.core.runfile.run import Run
from luthier.core.runfile.settings import settle
from luthier.core.runfile.templating import choose_template
from luthier.core.runfile.validation import validate
from luthier.core.runfile.validation_sets import validation_of
from luthier.core.sections import (
    SECTIONS,
    Section,
)
from luthier.registry import Catalogue
from luthier.registry.errors import nearest


def resolve(
    tree: Node,
    *,
    name: str = "run",
    device: Device | None = None,
    catalogue: Catalogue | None = None,
    fetched: Path | None = None,
    purpose: Literal["training", "inference"] = "training",
) -> Run:
    """Return the run that a tree of values describes.

    Args:
        tree: what `read_tree` gave.
        name: what the run folder is called where `output` is not given.
        device: what to judge for; this machine's where it is None.
        catalogue: the plugins there are; the installed ones where it is None.
        fetched: the folder of the model's config and tokenizer, where a hub's were fetched.
        purpose: for inference, data and what only training needs is neither looked at nor needed.

    Raises:
        BadRunFile: with every problem that was found.
    """
    resolver = _Resolver(
        catalogue or Catalogue.installed(), device or probe(), fetched, purpose == "training"
    )
    return resolver.run(tree.copy(), name)


class _Resolver:
    """One pass over one run file; problems are collected, and raised together at the end."""

    def __init__(
        self,
        catalogue: Catalogue,
        device: Device,
        fetched: Path | None,
        training: bool,  # noqa: FBT001 - a private constructor, called once
    ) -> None:
        self.training = training
        self.catalogue = catalogue
        self.device = device
        self.fetched = fetched
        self.problems: list[Problem] = []

    def run(self, tree: Node, name: str) -> Run:
        catalogue = with_plugin_files(tree, self.catalogue, self.problems)
        self.chooser = Chooser(catalogue, self.problems, training=self.training)
        self.kinds = self.chooser.kinds
        self._refuse_unknown_keys(tree)
        sections = {key: self._section(tree, key, cls) for key, cls in SECTIONS.items()}
        model_base = base_of(tree.mapping["model"].at(("path",)))
        self.family = choose_family(tree.mapping["model"], self.fetched, self.chooser)
        self._slots(tree)
        require_adapters(tree.mapping["model"], self.chooser)
        streaming = bool(getattr(sections["mix"], "streaming", False))
        data = datasets_of(tree, self.chooser, streaming=streaming) if self.training else []
        validation = validation_of(tree, self.chooser) if self.training else Validation()
        output = self._output(tree, name)
        leave_out_conflicting(tree, self.device, self.chooser)
        found = leave_out_faulted(tree, self._findings(tree, sections), self.chooser)
        selected = [
            one for one, _, _ in self.chooser.chosen if one.kind not in {"sources", "formats"}
        ]
        require_answers(TRAINING if self.training else INFERENCE, selected, self.chooser)
        sections = settle(tree, sections, self.chooser)
        self._judge(sections, validation)
        tell_findings(found, tree, self.chooser)
        judge_order(tree, sections, data, validation, self.chooser)
        judge_measuring(tree, sections, validation, self.chooser)
        judge_precision(tree, sections, self._folder(tree), self.device, self.chooser)
        if self.problems or not all(sections.values()):
            raise BadRunFile([_placed(problem, tree) for problem in self.problems])
        return Run(
            **sections,  # type: ignore[arg-type]
            data=tuple(data), validation=validation, output=output, selected=tuple(selected),
            model_base=model_base, tree=tree, device=self.device, notes=tuple(self.chooser.notes),
        )  # fmt: skip

    # --- luthier's own sections -------------------------------------------------------------

    def _refuse_unknown_keys(self, tree: Node) -> None:
        slots = [k.key for k in self.kinds.values() if k.key and k.place == "run"]
        known = [*RESERVED, *slots]
        broken = "".join(
            f" {fault.problem[:1].upper()}{fault.problem[1:]}."
            for _, fault in broken_kinds(self.chooser.catalogue)
        )
        for key, node in tree.mapping.items():
            if key not in known:
                within = [
                    f"{top}.{key}" for top, cls in SECTIONS.items() if key in cls.model_fields
                ]
                meant = f"Did you mean {within[0]!r}? " if within else nearest(key, known)
                remedy = f"{meant}Known keys: {', '.join(known)}.{broken}"
                self._tell(node.key_place, key, "unknown key", remedy)
        extends = tree.mapping.pop("extends", None)
        if extends is not None and extends.value is not None:
            # reading a file takes it out
            said = "only a file extends another: not the command line, nor a run that is no file"
            remedy = "Write it into a run file, or name the other file as the run."
            self._tell(extends.place, "extends", said, remedy)

    def _section(self, tree: Node, key: str, cls: type[Section]) -> Section | None:
        node = tree.mapping.get(key) or Node({}, DEFAULT)
        if node.value is None:
            node = Node({}, node.place, node.key_place)
        if key == "model":
            node = opened(node, (key,))
            if isinstance(node.value, dict) and node.at(("path",)).value in (None, node.value):
                # the built-in model is a plugin's, so its name is a default like any other
                node.value["path"] = self.chooser.default_model()
            take_short_name(node, self.chooser)
            pin_revision(node, self.fetched)
        _put(tree, key, node)
        section = validate(cls, without_options(node), (key,), self.problems)
        if section is not None:
            put_defaults(node, section.model_dump(mode="json"))
        return section

    def _output(self, tree: Node, name: str) -> Path:
        node = tree.mapping.get("output")
        if node is None or node.value is None:
            node = Node(f"runs/{name}", DEFAULT)
        if not isinstance(node.value, str) or not node.value:
            remedy = "Give the folder that the run is written to, such as `runs/mine`."
            said = f"expected a path, found {described(node.value)}"
            self._tell(node.place, "output", said, remedy)
            return Path("runs") / name
        _put(tree, "output", node)
        # the one path that is found from where the user stands: a run file may be shared
        try:
            output = path_of(Node(node.value, COMMAND_LINE), node.value)
            blocking = next((p for p in (output, *output.parents) if p.exists()), output)
        except UnusablePath as fault:
            self._tell(node.place, "output", str(fault), "Choose another folder.")
            return Path("runs") / name
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
            node = self._slot(kind, self.chooser.slot(kind, tree.mapping.get(kind.key)), tree)
            if node.value is not None:
                _put(tree, kind.key, node)

    def _slot(self, kind: Kind, node: Node, tree: Node) -> Node:
        """Choose what a slot names; the model may tell its template and its quantizer."""
        model = tree.mapping["model"]
        if kind.name == "templates":
            folders = tokenizer_folders(model, self.fetched)
            return choose_template(kind, node, self.chooser, folders, self.family)
        if kind.name == "quantizers":
            return choose_quantizer(kind, node, self.chooser, stored_in(self._folder(tree)))
        if node.value is None:
            return node
        if kind.many:
            self.chooser.many(kind, node)
            return node
        return self.chooser.select(kind, node, (str(kind.key),))

    # --- all of it together ----------------------------------------------------

    def _judge(self, sections: dict[str, Any], validation: Validation) -> None:
        places = {id(one): (place, key) for one, place, key in self.chooser.chosen}
        chosen = [one for one, _, _ in self.chooser.chosen]
        around = self._circumstances(sections, validation) if self.training else ()
        for conflict in conflicts(chosen, self.device, *around):
            place, key = places[id(conflict.culprit)]
            self._tell(place, key, conflict.problem, conflict.remedy)

    def _circumstances(
        self, sections: dict[str, Any], validation: Validation
    ) -> Iterator[Circumstance]:
        model, mix, training = (sections[key] for key in ("model", "mix", "training"))
        if world() > 1:
            yield in_processes(world())
        if not (validation.holds_out or validation.sets):
            yield NOTHING_HELD_OUT
        if mix and mix.streaming:
            yield STREAMED
        if model and (model.add_tokens or model.add_special_tokens):
            yield NEW_TOKENS
        if model and training:
            yield Precision.of(model, training, self.device)

    def _findings(self, tree: Node, sections: dict[str, Any]) -> list[tuple[str, Finding]]:
        """Return what plugins find wrong with the model, with the key of who says so."""
        model, encoding = sections["model"], sections["encoding"]
        if model is None or encoding is None:
            return []
        # `require_adapters` has made their paths whole
        beneath = tuple(str(one.value) for one in tree.at(("model", "adapters")).items)
        model = model.model_copy(update={"adapters": beneath})
        return list(findings(self._folder(tree), model, encoding, self.device, self.chooser))

    def _folder(self, tree: Node) -> Path:
        """Return where the model's config may lie; `choose_family` has made its path whole."""
        return self.fetched or Path(str(tree.mapping["model"].at(("path",)).value))

    def _tell(self, place: Place, key: str, problem: str, remedy: str) -> None:
        self.problems.append(Problem(place, key, problem, remedy))


def _put(tree: Node, key: str, node: Node) -> None:
    tree.mapping[key] = node


def _placed(problem: Problem, tree: Node) -> Problem:
    """Return a problem at a place to look at: for a value that nobody wrote, at what led to it."""
    place = problem.place
    if place.line is not None or place in (COMMAND_LINE, tree.place):
        return problem
    led = tree.at(("model", "path")).place
    at = tree.place if DEFAULT in (place, led) else led
    why = "by default" if place == DEFAULT else place.origin
    return problem._replace(place=at, problem=f"{problem.problem} ({why})")
