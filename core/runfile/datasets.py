"""The datasets that a run file names: their settings, their plugins, and whether they are there."""

from __future__ import annotations

from contextlib import suppress

from luthier.core.data.dataset import DatasetSpec
from luthier.core.errors import AmbiguousPlugin, BrokenPlugin
from luthier.core.plugin import Plugin
from luthier.core.problems import described
from luthier.core.runfile.answering import DATASET, require_answers
from luthier.core.runfile.choosing import Chooser, put_defaults
from luthier.core.runfile.expanding import expand
from luthier.core.runfile.nodes import Node, UnusablePath, base_of, dotted, opened, path_of
from luthier.core.runfile.validation import sound_part, validate
from luthier.core.sections import DatasetSection
from luthier.core.selection import plugin_of
from luthier.core.wiring import Selected, manager_of
from luthier.registry import Entry

PLUGINS = ("source", "format")
"""The keys of a dataset that name its plugins."""
IDLE = Selected("formats", "", Plugin(), Entry("formats", "", "", "", "", Plugin))
"""In place of a format that is wrong, so that the files are looked at all the same."""


def datasets_of(tree: Node, chooser: Chooser, *, streaming: bool) -> list[DatasetSpec]:
    """Return the datasets of a run file, their values set in place.

    Args:
        tree: the run file.
        chooser: what finds their plugins, and is told what is wrong.
        streaming: whether their rows are read while the model trains.
    """
    node = tree.mapping.get("data")
    if node is None or node.value in (None, []):
        place = node.place if node is not None else tree.place
        chooser.tell(place, "data", "no dataset is named", _remedy(chooser))
        return []
    if not isinstance(node.value, list | dict | str):
        said = f"expected a path, a mapping, or a list of them, found {described(node.value)}"
        chooser.tell(node.place, "data", said, _remedy(chooser))
        return []
    if not isinstance(node.value, list):
        node.value = [Node(node.value, node.place)]
    found = []
    for index, item in enumerate(node.items):
        path = ("data", index)
        node.items[index] = opened(item, path)
        found.append(dataset_at(node.items[index], path, chooser, streaming=streaming))
    return [spec for spec in found if spec is not None]


def _remedy(chooser: Chooser) -> str:
    sources = ", ".join(f"`{name}:`" for name in chooser.catalogue.names("sources"))
    return (
        "Write `data: [{path: FILE, format: NAME}]`; before the path may stand where it is from: "
        f"{sources or 'no source is installed'}."
    )


def dataset_at(
    node: Node, path: tuple[str | int, ...], chooser: Chooser, *, streaming: bool = False
) -> DatasetSpec | None:
    """Return a dataset, its values set in place; None where it is wrong, of which is told.

    Args:
        node: what stands in the run file, in its long form.
        path: where it stands.
        chooser: what finds its plugins, and is told what is wrong.
        streaming: whether its rows are read while the model trains.
    """
    if not isinstance(node.value, dict):
        said = f"expected a path or a mapping, found {described(node.value)}"
        chooser.tell(node.place, dotted(path), said, "Write `- {path: FILE, format: NAME}`.")
        return None
    right, source = _declared(node, path, chooser)
    if right is not None and source is not None and right.path.strip():
        named = node.mapping["path"]
        if not expand(node, DatasetSpec(right, base_of(named), source, IDLE), path, chooser):
            return None
        if node.mapping["path"] is not named:
            right, source = _declared(node, path, chooser)
    shape = _plugin(node, path, "formats", chooser)
    if right is None or source is None:
        return None
    place = node.mapping["path"]
    if not right.path.strip():
        chooser.tell(place.place, dotted((*path, "path")), "the path is empty", _remedy(chooser))
        return None
    put_defaults(node, right.model_dump(mode="json"))
    spec = DatasetSpec(right, base_of(place), source, shape or IDLE, streaming)
    _look_at(spec, node, path, chooser)
    if shape is not None:
        require_answers(DATASET, [source, shape], chooser)
    return spec


def _declared(
    node: Node, path: tuple[str | int, ...], chooser: Chooser
) -> tuple[DatasetSection | None, Selected | None]:
    """Return the settings of a dataset, as far as they are right, and its source."""
    own = Node({k: n for k, n in node.mapping.items() if k not in PLUGINS}, node.place)
    section = validate(DatasetSection, own, path, chooser.problems, besides=PLUGINS)
    source = _plugin(node, path, "sources", chooser)
    return section or sound_part(DatasetSection, own, path, chooser.problems), source


def _plugin(
    node: Node, path: tuple[str | int, ...], kind_name: str, chooser: Chooser
) -> Selected | None:
    """Return the source or the format of a dataset, put in place with all its options."""
    kind = chooser.kinds[kind_name]
    key = str(kind.key)
    slot = node.mapping.get(key)
    if kind_name == "sources" and (slot is None or slot.value is None):
        slot = _source_in(node, chooser)
    slot = chooser.slot(kind, slot)
    count = len(chooser.chosen)
    node.mapping[key] = chooser.select(kind, slot, (*path, key))
    return chooser.chosen[count][0] if len(chooser.chosen) > count else None


def _source_in(node: Node, chooser: Chooser) -> Node | None:
    """Return the source that a path begins with, as `hf:` does; None where it begins with none.

    A word that is no source's name is returned too if there is no such file: it will have been
    meant as one, and the answer to a wrong name says what there is.
    """
    path = node.mapping.get("path")
    if path is None or not isinstance(path.value, str):
        return None
    scheme, colon, rest = path.value.partition(":")
    if not colon or not rest:
        return None
    if rest.startswith("//") and (name := _reader_of(scheme, path, chooser)):
        return Node(name, path.place)
    try:
        is_file = path_of(path, path.value).exists()
    except UnusablePath:
        is_file = False
    known = scheme in chooser.catalogue.names("sources")
    # a single letter is a drive of Windows
    meant = scheme.isidentifier() and len(scheme) > 1 and not is_file
    return Node(scheme, path.place) if known or meant else None


def _reader_of(scheme: str, path: Node, chooser: Chooser) -> str | None:
    """Return the name of the source that reads URLs of a scheme; None where there is none."""
    found = []
    for name in chooser.catalogue.names("sources"):
        # one that is broken, or that two offer, is told of where it is chosen
        with suppress(BrokenPlugin, AmbiguousPlugin):
            if scheme in plugin_of(chooser.catalogue.find("sources", name)).schemes:
                found.append(name)
    if len(found) > 1:
        said = f"{scheme}:// is read by the sources {' and '.join(found)}"
        chooser.tell(path.place, "data", said, f"Choose one: `source: {found[0]}`.")
    return found[0] if found else None


def _look_at(spec: DatasetSpec, node: Node, path: tuple[str | int, ...], chooser: Chooser) -> None:
    """Have a dataset's plugins say what is wrong with it; make the path of a local one whole."""
    named = node.mapping["path"]
    # a URL may be longer than the name of a file can be
    is_url = bool(spec.source.plugin.schemes)
    try:
        there = not is_url and path_of(named, spec.location).exists()
    except UnusablePath as fault:
        chooser.tell(named.place, dotted((*path, "path")), str(fault), "Name another path.")
        return
    for findings in manager_of([spec.source, spec.format]).hook.check_dataset(spec=spec):
        for finding in findings or ():
            steps = tuple(finding.key.split(".")) if finding.key else ()
            key = dotted((*path, *steps))
            chooser.tell(node.at(steps).place, key, finding.problem, finding.remedy)
    # with a scheme before it, it may be the name of something on a hub that a folder here has too
    is_local = spec.location == spec.section.path or LOCAL in spec.source.plugin.traits
    if there and is_local:
        named.value = spec.section.path.removesuffix(spec.location) + str(spec.local_path)


LOCAL = "local-files"
"""The trait of a source whose paths are of this machine, whatever stands before them."""
