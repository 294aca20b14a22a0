"""Unpackaged plugin files that a run file names under `plugins`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from luthier.core.kinds import GROUP as KINDS
from luthier.core.kinds import kinds_of
from luthier.core.problems import Place, Problem, described
from luthier.core.runfile.nodes import Node, UnusablePath, base_of, opened, path_of
from luthier.core.selection import BadPluginFile, entries_of_file
from luthier.registry import Catalogue, Entry
from luthier.registry.errors import nearest


def with_plugin_files(tree: Node, catalogue: Catalogue, problems: list[Problem]) -> Catalogue:
    """Return a catalogue with the plugins of the files that a run file names.

    Args:
        tree: the run file; the paths of the files become absolute.
        catalogue: what is installed.
        problems: what is wrong is added here.
    """
    found = list(_entries(tree, problems))
    whole = catalogue.adding(entry for entry, _, _ in found)
    kinds = {*kinds_of(whole), KINDS, "defaults"}
    for entry, place, key in found:
        if entry.kind not in kinds:
            said = f"{entry.distribution} offers {entry.name!r} among the {entry.kind}"
            remedy = f"{nearest(entry.kind, kinds)}Kinds: {', '.join(sorted(kinds))}."
            problems.append(Problem(place, key, f"{said}, and there is no such kind", remedy))
    return whole


def _entries(tree: Node, problems: list[Problem]) -> Iterator[tuple[Entry, Place, str]]:
    """Yield each plugin of each file, with the place and the key of the file."""
    node = tree.mapping.get("plugins")
    if node is None or node.value is None:
        return
    listed = isinstance(node.value, list)
    seen: dict[str, Path] = {}
    for index, item in enumerate(node.items if listed else [node]):
        key = f"plugins.{index}" if listed else "plugins"
        try:
            path = _path_of(tree, item)
            if seen.setdefault(path.name, path) != path:
                # their modules and their distribution would have one name
                raise BadPluginFile(f"another file is called {path.name} too", "Rename one.")
            for entry in entries_of_file(path):
                yield entry, item.place, key
            item.value = str(path)
        except BadPluginFile as fault:
            problems.append(Problem(item.place, key, fault.problem, fault.remedy))


def _path_of(tree: Node, item: Node) -> Path:
    """Return the path of a plugin file.

    Raises:
        BadPluginFile: it is no path, or that of a file which may not be run.
    """
    if not isinstance(item.value, str):
        said = f"expected the path of a .py file, found {described(item.value)}"
        raise BadPluginFile(said, "Name a Python file beside the run file.")
    try:
        path = path_of(item, item.value)
    except UnusablePath as fault:
        raise BadPluginFile(str(fault), "Name another file.") from fault
    if owner := _foreign_owner(tree, path):
        said = f"{path.name} lies in the folder of {owner}, and data is never run as code"
        raise BadPluginFile(said, "Move it beside the run file.")
    return path


def _foreign_owner(tree: Node, path: Path) -> str | None:
    """Return whose folder `path` lies in, if it is that of a model or a dataset."""
    model = opened(tree.at(("model",)), ("model",))
    owners = [("the model", model.at(("path",)))]
    owners += [("an adapter", adapter) for adapter in model.at(("adapters",)).items]
    data = tree.mapping.get("data", tree)
    items = data.items or [data]
    owners += [("a dataset", item.mapping.get("path", item)) for item in items]
    for owner, node in owners:
        folder = _folder_of(node)
        if folder is not None and path.is_relative_to(folder) and folder != base_of(node):
            return owner
    return None


def _folder_of(node: Node) -> Path | None:
    if not isinstance(node.value, str):
        return None
    try:
        # a dataset's path may bear the scheme of its source
        places = [
            path_of(node, text) for text in (node.value, node.value.partition(":")[2]) if text
        ]
    except UnusablePath:
        return None  # told where the path is read as a model's or a dataset's
    return next((folder for folder in places if folder.is_dir()), None)
