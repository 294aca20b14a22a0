"""Unpackaged plugin files that a run file names under `plugins`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from luthier.core.problems import Problem, described
from luthier.core.runfile.nodes import Node, UnusablePath, base_of, opened, path_of
from luthier.core.selection import BadPluginFile, entries_of_file
from luthier.registry import Entry


def plugin_files(tree: Node, problems: list[Problem]) -> Iterator[Entry]:
    """Yield the plugins of the files that a run file names; their paths become absolute.

    Args:
        tree: the run file.
        problems: what is wrong is added here.
    """
    node = tree.mapping.get("plugins")
    if node is None or node.value is None:
        return
    listed = isinstance(node.value, list)
    seen: dict[str, Path] = {}
    for index, item in enumerate(node.items if listed else [node]):
        try:
            path = _path_of(tree, item)
            if seen.setdefault(path.name, path) != path:
                # their modules and their distribution would have one name
                raise BadPluginFile(f"another file is called {path.name} too", "Rename one.")
            yield from entries_of_file(path)
            item.value = str(path)
        except BadPluginFile as fault:
            key = f"plugins.{index}" if listed else "plugins"
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
