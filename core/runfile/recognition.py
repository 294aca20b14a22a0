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
from luthier.core.sections import ModelSection

RECOGNISED = Place("recognised")
"""The origin of a family that was found from the model's config."""

NAME_A_MODEL = "Repair the file, or name another model."


def choose_family(node: Node, model: ModelSection, fetched: Path | None, chooser: Chooser) -> None:
    """Choose the family of a model, and set it in place; one on a hub stays without.

    Args:
        node: the run file's `model`.
        model: the same, validated.
        fetched: the folder of the model's config, where a hub's was fetched.
        chooser: what finds the family, and is told what is wrong.
    """
    path = node.at(("path",))
    if not model.path.strip():
        remedy = "Write a path, or leave it out for the default."
        chooser.tell(path.place, "model.path", "the path is empty", remedy)
        return
    try:
        folder = path_of(path, model.path)
        is_folder = folder.is_dir()
        known = config_of(folder if fetched is None else fetched)
    except (BadModel, UnusablePath) as fault:
        chooser.tell(path.place, "model.path", str(fault), NAME_A_MODEL)
        return
    except OSError as fault:
        said = f"{fault.filename} cannot be read: {fault.strerror}"
        chooser.tell(path.place, "model.path", said, "Give yourself the right to read it (chmod).")
        return
    given = node.mapping.get("family")
    if given is None or not given.value:
        given = _recognised(path, folder, known, chooser)
    if given is not None:
        node.mapping["family"] = given
        count = len(chooser.chosen)
        chooser.select(chooser.kinds["families"], given, ("model", "family"))
        if not is_folder and len(chooser.chosen) > count:
            _require_model(path, model.path, chooser)
    if is_folder:
        path.value = str(folder)


def _require_model(path: Node, text: str, chooser: Chooser) -> None:
    """Tell of a path that is no Hub id, and no name that the chosen family makes."""
    made = {
        name
        for one, _, _ in chooser.chosen
        if isinstance(one.plugin, Family)
        for name in one.plugin.builtin
    }
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
        try:
            folder = path_of(item, str(item.value))
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
        remedy = "Merge the first into a model and name that, or train with `tuner: full`."
        chooser.tell(listed.place, "model.adapters", said, remedy)


def without_options(model: Node) -> Node:
    """Return the model's node with the family's name in place of `{name: NAME, options}`."""
    family = model.mapping.get("family")
    if family is None or "name" not in family.mapping:
        return model
    return Node({**model.mapping, "family": family.mapping["name"]}, model.place, model.key_place)
