"""Unpackaged plugin files that a run file names under `plugins`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from luthier.core.errors import LuthierError
from luthier.core.problems import Problem
from luthier.core.runfile.nodes import Node, base_of
from luthier.core.runfile.validation import described
from luthier.core.selection import entries_of_file
from luthier.registry import Entry

REMEDY = "The path is found from the folder of the run file that names it."


def plugin_files(tree: Node, problems: list[Problem]) -> Iterator[Entry]:
    """Yield the plugins of the files that a run file names; their paths become absolute.

    Args:
        tree: the run file.
        problems: what is wrong is added here.
    """
    node = tree.mapping.get("plugins")
    if node is None or node.value is None:
        return
    for index, item in enumerate(node.items if isinstance(node.value, list) else [node]):
        key = f"plugins.{index}"
        if not isinstance(item.value, str):
            said = f"expected the path of a .py file, found {described(item.value)}"
            remedy = "Name a Python file beside the run file."
            problems.append(Problem(item.place, key, said, remedy))
            continue
        path = (base_of(item) / item.value).resolve()
        if owner := _foreign_owner(tree, path):
            said = f"{path.name} lies in the folder of {owner}, and data is never run as code"
            problems.append(Problem(item.place, key, said, "Move it beside the run file."))
            continue
        try:
            yield from entries_of_file(path)
            item.value = str(path)
        except LuthierError as fault:
            problems.append(Problem(item.place, key, str(fault), REMEDY))


def _foreign_owner(tree: Node, path: Path) -> str | None:
    """Return whose folder `path` lies in, if it is that of a model or a dataset."""
    data = tree.mapping.get("data")
    owners = [
        ("a dataset", item.mapping.get("path", item)) for item in (data.items if data else [])
    ]
    for owner, node in [("the model", tree.at(("model", "path"))), *owners]:
        if isinstance(node.value, str):
            folder = (base_of(node) / node.value).resolve()
            if folder.is_dir() and path.is_relative_to(folder) and folder != base_of(node):
                return owner
    return None
