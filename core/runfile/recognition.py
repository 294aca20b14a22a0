"""The family of a run file's model: named there, or recognised from the model's config."""

from __future__ import annotations

from pathlib import Path

from luthier.core.errors import BadModel, LuthierError
from luthier.core.model import remote_code
from luthier.core.model.adapters import ADAPTER_CONFIG, adapter_config_of
from luthier.core.model.architectures import folder_needs_its_code
from luthier.core.model.evidence import Evidence
from luthier.core.model.families import Family
from luthier.core.model.hubs import HUBS, Hub, commit_of, is_hub_id, no_model_at
from luthier.core.model.recognition import Recognised, families_of, named, recognise
from luthier.core.problems import Place
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.nodes import Node, UnusablePath, path_of
from luthier.core.selection import plugin_of

NAME_A_MODEL = "Repair the file, or name another model."


def take_short_name(node: Node, chooser: Chooser) -> None:
    """Put the id of its hub in the place of a checkpoint's short name.

    A folder of that name comes first, and so does a built-in model: what a path means may not
    change with the checkpoints that a version knows.

    Args:
        node: the run file's `model`, whose own settings may be wrong.
        chooser: what finds the families, and is told what is wrong.
    """
    path, hub = node.at(("path",)), _hub_of(node)
    text = path.value
    if not isinstance(text, str) or not text.strip() or "/" in text or _is_folder(path, text):
        return
    families = _families_for(node, chooser)
    if any(text in family.builtin for family in families):
        return
    known = [one for family in families for one in family.checkpoints if one.name == text.lower()]
    if not known:
        return
    found = known[0].id_on(hub.name)
    if found is None:
        said = f"it is not known by what id {hub.title} has {text!r}"
        remedy = f"Give that id, or take another `hub`; its ids: {', '.join(known[0].ids)}."
        chooser.tell(path.place, "model.path", said, remedy)
    path.value = found or known[0].hub
    chooser.notes.append(f"{text} is {path.value} of {hub.title}")


def pin_revision(node: Node, fetched: Path | None) -> None:
    """Put the commit that was fetched in the place of a model's revision.

    So a run's base stays what it was trained on, when it is resumed or talked to.

    Args:
        node: the run file's `model`.
        fetched: the folder of the model's config, where a hub's was fetched.
    """
    commit = commit_of(fetched) if fetched else None
    given = node.mapping.get("revision")
    if commit is None or (given is not None and given.value == commit):
        return
    named = given.value if given is not None and given.value else "the newest revision"
    node.mapping["revision"] = Node(commit, Place(f"the commit of {named}"))


def _hub_of(node: Node) -> Hub:
    """Return the hub of a model; the first where the file says none, or one that there is not."""
    given = node.mapping["hub"].value if "hub" in node.mapping else None
    return HUBS.get(str(given), next(iter(HUBS.values())))


def _is_folder(path: Node, text: str) -> bool:
    try:
        return path_of(path, text).is_dir()
    except (UnusablePath, OSError):
        return False  # told where the model is looked for


def _families_for(node: Node, chooser: Chooser) -> list[Family]:
    """Return the family that the run file names, or all there are."""
    given = node.at(("family", "name")).value if "family" in node.mapping else None
    if not isinstance(given, str) or not given:
        return list(families_of(chooser.catalogue).values())
    try:
        family = plugin_of(chooser.catalogue.find("families", given))
    except LuthierError:
        return []  # told where it is chosen
    return [family] if isinstance(family, Family) else []


def choose_family(node: Node, fetched: Path | None, chooser: Chooser) -> Recognised | None:
    """Choose the family of a model, and set it in place; one on a hub may stay without.

    Args:
        node: the run file's `model`, whose own settings may be wrong.
        fetched: the folder of the model's config, where a hub's was fetched.
        chooser: what finds the family, and is told what is wrong.

    Returns:
        The family, and what led to it.
    """
    path, given = node.mapping.get("path"), node.mapping.get("family")
    if path is None:
        return None  # `model` is no mapping
    looked = _looked_at(path, fetched, chooser)
    told = None
    if given is None or not given.value:
        told = _recognised(path, *looked, chooser) if looked else None
        given = Node(told.family, Place(f"recognised by {told.reason}")) if told else None
    if given is not None:
        node.mapping["family"] = given
    is_folder = looked is not None and looked[0].is_dir()
    if looked and is_folder:
        path.value = str(looked[0])
    chosen = _selected(given, path, looked and (fetched or looked[0]), chooser)
    if looked and not is_folder:
        _require_hub(node, chooser)
        if given is not None:
            _require_model(path, chooser)
    return told or chosen


def _selected(
    given: Node | None, path: Node, folder: Path | None, chooser: Chooser
) -> Recognised | None:
    """Choose the family that a node names; return it as one that was named."""
    if given is None:
        return None
    before = len(chooser.chosen)
    chooser.select(chooser.kinds["families"], given, ("model", "family"))
    for one, _, _ in chooser.chosen[before:]:
        if isinstance(one.plugin, Family):
            needs = one.plugin.brings_code or (folder and folder_needs_its_code(folder))
            if needs and not remote_code.is_allowed():
                remedy = remote_code.way_out(str(path.value))
                chooser.tell(path.place, "model.path", remote_code.FAULT, remedy)
            return named(one.name, one.plugin, str(path.value))
    return None


def _require_hub(node: Node, chooser: Chooser) -> None:
    """Tell of a hub whose package is not installed, where the model is fetched from it."""
    hub = _hub_of(node)
    if hub.is_missing() and is_hub_id(str(node.at(("path",)).value)):
        said = f"{hub.title} needs the package {hub.package}, not installed here"
        chooser.tell(node.mapping["hub"].place, "model.hub", said, f"Install it: {hub.install}.")


def _looked_at(path: Node, fetched: Path | None, chooser: Chooser) -> tuple[Path, Evidence] | None:
    """Return the folder that a model's path would be, and what is known of the model."""
    if not isinstance(path.value, str):
        return None  # told where the section was read
    if not path.value.strip():
        remedy = "Write a path, or leave it out for the default."
        chooser.tell(path.place, "model.path", "the path is empty", remedy)
        return None
    try:
        folder = path_of(path, path.value)
        text = str(folder) if folder.is_dir() else path.value
        known = Evidence.of(text, folder if fetched is None else fetched)
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
    if not chosen and text in _names_there_are(chooser):
        return  # the family is told of already, and the path is right
    if text not in made and not is_hub_id(text):
        _tell_of_no_model(path, chooser)


def _tell_of_no_model(path: Node, chooser: Chooser) -> None:
    said = no_model_at(str(path.value), _names_there_are(chooser))
    problem, _, remedy = said.partition(". ")
    chooser.tell(path.place, "model.path", problem, remedy)


def _names_there_are(chooser: Chooser) -> list[str]:
    """Return the names that are no paths: of built-in models, and short ones of checkpoints."""
    families = families_of(chooser.catalogue).values()
    made = [name for family in families for name in family.builtin]
    return [*made, *(one.name for family in families for one in family.checkpoints)]


def _recognised(
    path: Node, folder: Path, evidence: Evidence, chooser: Chooser
) -> Recognised | None:
    """Return the family that is told by what is known of a model; None where none is yet."""
    try:
        found = recognise(evidence, chooser.catalogue)
    except LuthierError as fault:
        remedy = "`luthier plugins families` lists those there are."
        chooser.tell(path.place, "model.family", str(fault), remedy)
        return None
    if found is not None:
        chooser.notes += [found.note] if found.note else []
        return found
    if folder.is_dir():
        chooser.tell(path.place, "model.path", *_no_model(folder, str(path.value)))
    elif not is_hub_id(str(path.value)):
        _tell_of_no_model(path, chooser)
    return None


def _no_model(folder: Path, name: str) -> tuple[str, str]:
    """Return what a folder without a config.json is, and how what lies in it is named."""
    if (folder / ADAPTER_CONFIG).is_file():
        base = adapter_config_of(folder).get("base_model_name_or_path") or "MODEL"
        said = f"{folder} holds an adapter, which is no model by itself"
        return said, f"Name it beside its model: `model: {{path: {base}, adapters: [{name}]}}`."
    inside = folder / "model"
    if (inside / ADAPTER_CONFIG).is_file():
        return f"{folder} is the folder of a run", _no_model(inside, f"{name}/model")[1]
    if (inside / "config.json").is_file():
        return f"{folder} is the folder of a run", f"Name its model: `model: {name}/model`."
    said = f"{folder} holds no config.json, so it is no model"
    return said, "Name a folder that `save_pretrained` wrote."


def tokenizer_folders(node: Node, fetched: Path | None) -> list[Path] | None:
    """Return where a model's tokenizer may lie: with its last adapter, or with the model.

    None while the model is on a hub and nobody has looked.
    """
    path = node.at(("path",))
    try:
        folders = [path_of(one, str(one.value)) for one in node.at(("adapters",)).items[-1:]]
        own = path_of(path, str(path.value)) if fetched is None else fetched
    except UnusablePath:
        return []  # told of where the model and its adapters are looked for
    return [*folders, own] if own.is_dir() or not is_hub_id(str(path.value)) else None


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
