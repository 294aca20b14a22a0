"""Which family a model is of: told by its config, its ids, its chat template, its special tokens.

A config names an architecture, and many lines of models share one: Vicuna and Yi are built like
Llama. What parts them is looked at in the order of `TELLING`; where none of it tells, the
architecture's general family serves, and the model's own template or a plain one. Nothing is
guessed: what could not be told is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from luthier.core.errors import AmbiguousPlugin, BrokenPlugin, LuthierError
from luthier.core.model.checkpoints import Checkpoint
from luthier.core.model.evidence import Evidence
from luthier.core.model.families import Family
from luthier.core.selection import plugin_of
from luthier.core.templates.catalogue import load_template
from luthier.registry import Catalogue

Families = Mapping[str, Family]


class Recognised(NamedTuple):
    """A model's family, and what led to it."""

    family: str
    reason: str
    """How it was told, as the end of "recognised by ...". Empty where it was named."""
    template: str | None
    """The chat template of a model that brings none."""
    chat_templates: tuple[str, ...]
    """The chat templates that what it brings is compared with."""
    note: str = ""
    """What could not be told, for people to know."""


def recognise(evidence: Evidence, catalogue: Catalogue) -> Recognised | None:
    """Return the family of a model, or None where too little of it is at hand.

    Args:
        evidence: what is known of the model.
        catalogue: where the families are found; reading them imports their (light) modules.

    Raises:
        LuthierError: no family has its architecture, or several have and none is the general one.
    """
    families = families_of(catalogue)
    for name, family in families.items():
        if evidence.path in family.builtin:
            return _as(name, family, evidence, "its name")
    if evidence.config is None:
        told = _by_id(evidence, families, catalogue)
        return _as(told[0], families[told[0]], evidence, "its id") if len(told) == 1 else None
    kin = _built_alike(evidence, families)
    if not kin:
        return _by_any(evidence, families)
    architecture = ", ".join(evidence.architectures) or evidence.model_type
    if len(kin) == 1:
        (name,) = kin
        return _as(name, kin[name], evidence, f"its architecture, {architecture}")
    left = list(kin)
    for what, told_by in TELLING.items():
        told = told_by(evidence, {name: kin[name] for name in left}, catalogue)
        if len(told) == 1:
            return _as(told[0], kin[told[0]], evidence, what, kin)
        left = told or left
    return _general(kin, left, architecture)


def named(name: str, family: Family, path: str) -> Recognised:
    """Return what a family that the run file names makes of a model."""
    return _as(name, family, Evidence(path), "")


def _as(
    name: str, family: Family, evidence: Evidence, reason: str, kin: Families | None = None
) -> Recognised:
    """Return a family as the one that was told; its chat templates first, then its kin's."""
    known = checkpoint_of([*evidence.ids, *evidence.origin], family)
    template = (known and known.template) or family.template
    compared = [template, *_templates_of([family, *(kin or {}).values()])]
    return Recognised(name, reason, template, tuple(dict.fromkeys(filter(None, compared))))


def _templates_of(families: Iterable[Family]) -> list[str]:
    """Return the templates of families, and of their checkpoints that have others, each once."""
    found = [
        name
        for family in families
        for name in (
            family.template, *family.chat_templates, *(one.template for one in family.checkpoints)
        )
    ]  # fmt: skip
    return [name for name in dict.fromkeys(found) if name]


def _built_alike(evidence: Evidence, families: Families) -> Families:
    """Return the families that have a model's architecture.

    Its type tells, too: where its classes are none of ours, or mean several architectures.
    """
    named = {n: f for n, f in families.items() if {*evidence.architectures} & {*f.architectures}}
    typed = {n: f for n, f in families.items() if evidence.model_type in f.model_types}
    if not named:
        return {} if "auto_map" in (evidence.config or {}) else typed
    # one that lists no types says nothing of them
    return {n: f for n, f in named.items() if n in typed or not f.model_types} or named


def _by_any(evidence: Evidence, families: Families) -> Recognised:
    """Return the family that takes whatever transformers can build."""
    said = ", ".join(evidence.architectures) or evidence.model_type or "no architecture"
    taking = [name for name, family in families.items() if family.any_architecture]
    if len(taking) == 1 and evidence.model_type:
        found = _as(taking[0], families[taking[0]], evidence, "no family of its own")
        note = (
            f"no installed family knows {said}: {taking[0]!r} reads its layers off the built model "
            f"and takes the chat template that it brings, or else {found.template!r}"
        )
        return found._replace(note=note)
    raise LuthierError(
        f"its config names {said}, which no installed family has; "
        f"if it is built like one that there is, say so with `family:`"
    )


def _general(kin: Families, left: Sequence[str], architecture: str) -> Recognised:
    """Return the family that stands for an architecture whose line was not told."""
    general = [name for name, family in kin.items() if family.general_template is not None]
    if len(general) != 1:
        raise LuthierError(
            f"its config names {architecture}, which {_listed(kin)} have, and neither its id nor "
            f"its chat template nor its special tokens tell which it is; say which with `family:`"
        )
    family = kin[general[0]]
    note = (
        f"{architecture} is the architecture of {_listed(left)}, and neither its id nor its chat "
        f"template nor its special tokens tell which this is. Taken as {general[0]!r}, with the "
        f"chat template that it brings, or else {family.general_template!r}; `family:` says more"
    )
    compared = _templates_of([family, *kin.values()])
    reason = f"its architecture, {architecture}, alone"
    return Recognised(general[0], reason, family.general_template, tuple(compared), note)


def _listed(names: Iterable[str]) -> str:
    *most, last = sorted(names)
    return f"{', '.join(most)} and {last}" if most else last


# --- what tells the line -----------------------------------------------------------------------


def _by_id(evidence: Evidence, kin: Families, _: Catalogue) -> list[str]:
    return _of_ids(evidence.ids, kin)


def _by_origin(evidence: Evidence, kin: Families, _: Catalogue) -> list[str]:
    return _of_ids(evidence.origin, kin)


def _of_ids(ids: Iterable[str], kin: Families) -> list[str]:
    for one in ids:
        if told := [name for name, family in kin.items() if checkpoint_of([one], family)]:
            return told
        if told := [name for name, family in kin.items() if _has_pattern(one, family)]:
            return told
    return []


def _has_pattern(one: str, family: Family) -> bool:
    return any(fnmatchcase(one.lower(), pattern.lower()) for pattern in family.ids)


def _by_template(evidence: Evidence, kin: Families, catalogue: Catalogue) -> list[str]:
    if evidence.brought is None:
        return []
    same = {}
    for template in _templates_of(kin.values()):
        try:
            same[template] = evidence.brought.differs(load_template(template, catalogue)) is None
        except LuthierError:
            same[template] = False  # it is broken, or what the model brings is no Jinja
    return [name for name, family in kin.items() if any(map(same.get, _templates_of([family])))]


def _by_tokens(evidence: Evidence, kin: Families, _: Catalogue) -> list[str]:
    return [
        name
        for name, family in kin.items()
        if family.tokens and {*family.tokens} <= evidence.tokens
    ]


TELLING: Mapping[str, Callable[[Evidence, Families, Catalogue], list[str]]] = {
    "its id": _by_id,
    "its chat template": _by_template,
    "its special tokens": _by_tokens,
    # last: what was tuned from a model may have taken another line's template
    "the id that its config names": _by_origin,
}
"""What tells the line of a model whose architecture several have, in this order."""


def checkpoint_of(ids: Iterable[str], family: Family) -> Checkpoint | None:
    """Return the checkpoint of a family that goes by one of these ids."""
    wanted = {one.lower() for one in ids}
    found = (c for c in family.checkpoints if wanted & {one.lower() for one in c.ids})
    return next(found, None)


def families_of(catalogue: Catalogue) -> dict[str, Family]:
    """Return the families that there are, by name, but for those that are broken or ambiguous."""
    found = {}
    for name in catalogue.names("families"):
        try:
            family = plugin_of(catalogue.find("families", name))
        except (BrokenPlugin, AmbiguousPlugin):
            continue  # fatal only where it is chosen by name; `luthier plugins` tells of it
        if isinstance(family, Family):
            found[name] = family
    return found
