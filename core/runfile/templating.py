"""The chat template of a run: named, written into the run file, or found from the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from luthier.core.errors import LuthierError, TemplateError
from luthier.core.kinds import Kind
from luthier.core.model.recognition import Recognised
from luthier.core.problems import Place, described
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.nodes import DEFAULT, Node, UnusablePath, dotted, path_of
from luthier.core.runfile.validation import validate
from luthier.core.templates import ChatTemplate, JinjaTemplate, load_template
from luthier.core.templates.brought import Brought, brought_by
from luthier.core.templates.options import PREPEND, SYSTEM
from luthier.core.templates.source import SLOTS, fault_of
from luthier.core.wiring import Selected
from luthier.registry import Entry
from luthier.registry.errors import nearest

AUTO = "auto"
"""As a template's name: the one that the model's own chat template tells of."""
OWN = "own"
"""The name of a template that no plugin is: the run file's, or the model's."""
SUFFIX = ".jinja"
NAME_ONE = "Write `template: NAME`; `luthier plugins templates` lists them."


class _Found(NamedTuple):
    """What `auto` came to."""

    node: Node
    place: Place


def choose_template(
    kind: Kind,
    node: Node,
    chooser: Chooser,
    folders: Sequence[Path] | None,
    family: Recognised | None,
) -> Node:
    """Choose a run's template; return its node with what it came to.

    Args:
        kind: the kind of templates.
        node: the run file's `template`: a name, a mapping, a path of a `.jinja`, or nothing.
        chooser: what finds it, and is told what is wrong.
        folders: where the model's tokenizer may lie, the first that has one first; None while the
            model is on a hub and nobody has looked.
        family: the model's family, where it is known.
    """
    if node.mapping.keys() == {"options"}:
        node = Node({"name": Node(AUTO, DEFAULT), **node.mapping}, node.place, node.key_place)
    named = node.mapping.get("name", node)
    text = node.value if isinstance(node.value, str) else ""
    if text.endswith(SUFFIX):
        node = Node({"source": Node(text, node.place)}, node.place, node.key_place)
    elif named.value in (None, AUTO):
        node = _automatic(kind, node, named, chooser, folders, family)
    if node.value is None:
        return node
    if node.mapping and "name" not in node.mapping:
        return _own(kind, node, chooser)
    return chooser.select(kind, _with_all_options(kind, node, chooser), (str(kind.key),))


def _automatic(
    kind: Kind,
    node: Node,
    named: Node,
    chooser: Chooser,
    folders: Sequence[Path] | None,
    family: Recognised | None,
) -> Node:
    """Return the node with the template that the model's own tells of, or its family has."""
    if family is None or folders is None:
        return Node(None, node.place)
    try:
        brought = brought_by(folders)
    except (LuthierError, OSError) as fault:
        chooser.tell(node.place, str(kind.key), str(fault), NAME_ONE)
        return Node(None, node.place)
    found = _found(family, brought, chooser)
    if found is None:
        if chooser.training:
            said = f"the family {family.family!r} has no chat template of its own"
            at = next(place for one, place, _ in chooser.chosen if one.kind == "families")
            chooser.tell(named.place if named.value == AUTO else at, str(kind.key), said, NAME_ONE)
        return Node(None, node.place)
    options = {key: one for key, one in node.mapping.items() if key != "name"}
    if found.node.mapping:
        return Node({**found.node.mapping, **options}, found.place, node.key_place)
    if options:
        return Node({"name": found.node, **options}, node.place, node.key_place)
    return Node(found.node.value, found.place, node.key_place)


def _found(family: Recognised, brought: Brought | None, chooser: Chooser) -> _Found | None:
    """Return the template that a model's own is, or the Jinja itself, or else the family's."""
    reason = "the model brings none"
    if brought is not None:
        reason = _unfit(brought)
        if reason != NO_JINJA:
            for name in family.chat_templates:
                if brought.differs(load_template(name, chooser.catalogue)) is None:
                    place = Place("renders as the model's own does")
                    return _Found(Node(name, place), place)
        if not reason:
            place = Place("the model's own")
            return _Found(Node({"source": Node(brought.source, place)}, place), place)
    if family.template is None:
        return None
    place = Place(f"family {family.family}: {reason}")
    return _Found(Node(family.template, place), place)


NO_JINJA = "the model's own is no Jinja"


def _unfit(brought: Brought) -> str:
    """Return why a model's own chat template cannot be cut; empty where it can."""
    try:
        altered = brought.alters()
    except TemplateError:
        return NO_JINJA
    return f"the model's own alters contents ({altered})" if altered else ""


def _own(kind: Kind, node: Node, chooser: Chooser) -> Node:
    """Choose the template that a mapping without a name is."""
    key = str(kind.key)
    source = node.mapping.get("source")
    if source is not None and str(source.value).endswith(SUFFIX):
        try:
            text = path_of(source, str(source.value)).read_text(encoding="utf-8")
        except (OSError, ValueError, UnusablePath) as fault:
            said = f"{source.value} cannot be read: {getattr(fault, 'strerror', None) or fault}"
            remedy = "It is found from the folder of the run file, or from the current one."
            chooser.tell(source.place, f"{key}.source", said, remedy)
            return node
        # a run folder is whole by itself
        node.mapping["source"] = Node(text, Place(str(source.value)))
    cls = ChatTemplate if source is None else JinjaTemplate
    plugin: ChatTemplate | None = validate(cls, node, (key,), chooser.problems)
    if plugin is None or not _slots_are_jinja(plugin, node, key, chooser):
        return node
    try:
        if isinstance(plugin, JinjaTemplate):
            _require_options(JinjaTemplate.of(plugin.source), node, key, chooser)
            facts = {name: getattr(plugin, name) for name in plugin.model_fields_set - {"source"}}
            plugin = JinjaTemplate.of(plugin.source, **facts)
    except TemplateError as fault:
        chooser.tell(node.place, key, str(fault), "See docs/templates.md.")
        return node
    entry = Entry(kind.name, OWN, "", "the run file", "", plugin)
    chooser.chosen.append((Selected(kind.name, OWN, plugin, entry), node.place, key))
    return node


def _slots_are_jinja(plugin: ChatTemplate, node: Node, key: str, chooser: Chooser) -> bool:
    """Return whether all slots are; tell of those that are not."""
    sound = True
    for name in set(SLOTS) & plugin.model_fields_set:
        if fault := fault_of(getattr(plugin, name) or ""):
            sound = False
            remedy = "A slot is Jinja, such as `{{ content }}`."
            chooser.tell(node.mapping[name].place, f"{key}.{name}", fault, remedy)
    return sound


def _with_all_options(kind: Kind, node: Node, chooser: Chooser) -> Node:
    """Return a named template's node, its options beside those that the template has."""
    given = node.mapping.get("options")
    name = node.mapping.get("name")
    if given is None or not given.mapping or name is None:
        return node
    try:
        template = load_template(str(name.value), chooser.catalogue)
    except LuthierError:
        return node  # `select` tells of it
    _require_options(template, node, str(kind.key), chooser)
    kept = {key: Node(value, DEFAULT) for key, value in template.options.items()}
    whole = Node({**kept, **given.mapping}, given.place, given.key_place)
    return Node({**node.mapping, "options": whole}, node.place, node.key_place)


def _require_options(template: ChatTemplate, node: Node, key: str, chooser: Chooser) -> None:
    """Tell of options that a template does not have."""
    given = node.mapping.get("options")
    known = [*template.options, SYSTEM]
    for name, one in given.mapping.items() if given is not None else ():
        path = dotted((key, "options", name))
        if name not in known:
            remedy = f"{nearest(name, known)}Its options: {', '.join(known)}."
            chooser.tell(one.key_place, path, "this chat template has no such option", remedy)
        elif name == SYSTEM and one.value not in {None, PREPEND}:
            said = f"expected {PREPEND!r}, found {described(one.plain())}"
            remedy = "It folds the system message into the first question; or leave it out."
            chooser.tell(one.place, path, said, remedy)
