"""The family of a run file's model: named there, or recognised from the model's config."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from luthier.core.errors import BadModel, LuthierError
from luthier.core.model.families import Family, config_of, is_hub_id, no_model_at, recognise
from luthier.core.problems import Place, cut
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.nodes import Node, UnusablePath, path_of

RECOGNISED = Place("recognised")
"""The origin of a family that was found from the model's config."""

NAME_A_MODEL = "Repair the file, or name another model."


def choose_family(node: Node, fetched: Path | None, chooser: Chooser) -> None:
    """Choose the family of a model, and set it in place; one on a hub stays without.

    Args:
        node: the run file's `model`, whose own settings may be wrong.
        fetched: the folder of the model's config, where a hub's was fetched.
        chooser: what finds the family, and is told what is wrong.
    """
    path, given = node.mapping.get("path"), node.mapping.get("family")
    if path is None:
        return  # `model` is no mapping
    looked = _looked_at(path, fetched, chooser)
    if given is None or not given.value:
        given = _recognised(path, *looked, chooser) if looked else None
    if given is not None:
        node.mapping["family"] = given
        chooser.select(chooser.kinds["families"], given, ("model", "family"))
    if looked and looked[0].is_dir():
        path.value = str(looked[0])
    elif looked and given is not None:
        _require_model(path, chooser)


def _looked_at(
    path: Node, fetched: Path | None, chooser: Chooser
) -> tuple[Path, Mapping[str, Any] | None] | None:
    """Return the folder that a model's path would be, and the model's config where it is known."""
    if not isinstance(path.value, str):
        return None  # told where the section was read
    if not path.value.strip():
        remedy = "Write a path, or leave it out for the default."
        chooser.tell(path.place, "model.path", "the path is empty", remedy)
        return None
    try:
        folder = path_of(path, path.value)
        known = config_of(folder if fetched is None else fetched)
    except (BadModel, UnusablePath) as fault:
        chooser.tell(path.place, "model.path", str(fault), NAME_A_MODEL)
        return None
    except OSError as fault:
        said = f"{fault.filename} cannot be read: {fault.strerror}"
        chooser.tell(path.place, "model.path", said, "Give yourself the right to read it (chmod).")
        return None
    return folder, known


def _require_model(path: Node, chooser: Chooser) -> None:
    """Tell of a path that is no Hub id, and no name that the chosen family makes."""
    text = str(path.value)
    chosen = [one.plugin for one, _, _ in chooser.chosen if isinstance(one.plugin, Family)]
    made = {name for family in chosen for name in family.builtin}
    if not chosen and recognise(text, None, chooser.catalogue) is not None:
        return  # the family is told of already, and the path is right
    if text not in made and not is_hub_id(text):
        problem, _, remedy = no_model_at(text).rpartition(". ")
        chooser.tell(path.place, "model.path", problem, remedy)


def _recognised(
    path: Node, folder: Path, config: Mapping[str, Any] | None, chooser: Chooser
) -> Node | None:
    """Return the family that a model's config means; None where that cannot be told yet."""
    text = str(path.value)
    named = (config or {}).get("architectures") or []
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        said = f"its config's `architectures` is no list of names: {cut(repr(named))}"
        chooser.tell(path.place, "model.path", said, NAME_A_MODEL)
        return None
    try:
        name = recognise(text, config, chooser.catalogue)
    except LuthierError as fault:
        remedy = "`luthier plugins families` lists those there are."
        chooser.tell(path.place, "model.family", str(fault), remedy)
        return None
    if name is not None:
        return Node(name, RECOGNISED)
    if folder.is_dir():
        said = f"{folder} holds no config.json, so it is no model"
        remedy = "Name a folder that `save_pretrained` wrote."
        chooser.tell(path.place, "model.path", said, remedy)
    elif not is_hub_id(text):
        problem, _, remedy = no_model_at(text).rpartition(". ")
        chooser.tell(path.place, "model.path", problem, remedy)
    return None


def require_adapters(node: Node, chooser: Chooser) -> None:
    """Tell of adapters that are no adapters' folders; the paths of the others become absolute."""
    listed = node.at(("adapters",))
    for index, item in enumerate(listed.items):
        key = f"model.adapters.{index}"
        if not isinstance(item.value, str):
            continue  # told where the section was read
        try:
            folder = path_of(item, item.value)
        except UnusablePath as fault:
            chooser.tell(item.place, key, str(fault), "Name the folder of an adapter.")
            continue
        if (folder / "adapter_config.json").is_file():
            item.value = str(folder)
        else:
            said = f"{folder} holds no adapter: there is no adapter_config.json in it"
            chooser.tell(item.place, key, said, "Name a folder that PEFT saved an adapter to.")
    stacked = [one for one, _, _ in chooser.chosen if "adapter" in one.plugin.traits]
    if listed.items and stacked:
        # what is saved would be the new adapter, and the base without the one beneath it
        said = f"{stacked[0]} would train an adapter on top of another, which is not saved with it"
        remedy = "Merge the first into a model and name that, or train the model's own weights."
        chooser.tell(listed.place, "model.adapters", said, remedy)


def without_options(model: Node) -> Node:
    """Return the model's node with the family's name, if it has one, in place of the family."""
    family = model.mapping.get("family")
    if family is None or isinstance(family.value, str | None):
        return model
    rest = {key: node for key, node in model.mapping.items() if key != "family"}
    named = family.mapping.get("name")
    if named is not None and isinstance(named.value, str):
        rest["family"] = named
    return Node(rest, model.place, model.key_place)
