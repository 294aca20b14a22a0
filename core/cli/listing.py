"""What is installed, as rows and as pages."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import NamedTuple

from pydantic_core import to_jsonable_python

from luthier.core.errors import BrokenPlugin, UnknownPlugin
from luthier.core.kinds import GROUP as KINDS
from luthier.core.kinds import added_specs, broken_kinds, kinds_of
from luthier.core.plugin import Plugin, documentation_of, install_line, missing_packages
from luthier.core.selection import plugin_of, require_sound_hooks
from luthier.core.wiring import Selected, hooks_of
from luthier.registry import Catalogue, Entry


class Row(NamedTuple):
    """One installed plugin."""

    kind: str
    name: str
    summary: str
    distribution: str
    version: str
    state: str
    """`ok`, `needs: INSTALL LINE`, or `broken: REASON`."""


def rows_of(kind: str | None = None, catalogue: Catalogue | None = None) -> list[Row]:
    """Return all installed plugins, or those of one kind.

    Raises:
        UnknownPlugin: there is no such kind.
    """
    there = catalogue or Catalogue.installed()
    kinds = kinds_of(there)
    if kind is not None and kind not in kinds:
        raise UnknownPlugin("kinds", kind, list(kinds))
    entries = [e for e in there if e.kind in kinds and kind in {None, e.kind}]
    names = [(e.kind, e.name) for e in entries]
    specs = added_specs(kinds)
    rows = [_row(e, specs, twice=names.count((e.kind, e.name)) > 1) for e in entries]
    for entry, fault in broken_kinds(there) if kind is None else ():
        state = f"broken: {fault.reason}"
        rows.append(Row(KINDS, entry.name, "", entry.distribution, entry.version, state))
    return rows


def _row(entry: Entry, specs: tuple[object, ...], *, twice: bool) -> Row:
    summary, state = "", "ok"
    try:
        value = plugin_of(entry)
        summary = _documentation(entry, value).partition("\n")[0]
        cls = value if isinstance(value, type) else type(value)
        # the options of a plugin make no difference to its hooks, so it is made without any
        require_sound_hooks(Selected(entry.kind, entry.name, cls.__new__(cls), entry, specs))
        if missing_packages(cls):
            state = f"needs: {install_line(cls)}"
        elif twice:
            state = f"ambiguous: choose `{entry.distribution}:{entry.name}`"
    except BrokenPlugin as fault:
        state = f"broken: {fault.reason}"
    return Row(entry.kind, entry.name, summary, entry.distribution, entry.version, state)


def _documentation(entry: Entry, value: type[Plugin] | Plugin) -> str:
    module = entry.target.partition(":")[0]
    return documentation_of(value, module).strip()


def described(rows: list[Row]) -> str:
    """Return rows as a table for people, a heading for each kind."""
    lines: list[str] = []
    width = max((len(row.name) for row in rows), default=0)
    kind = ""
    for row in rows:
        if row.kind != kind:
            kind = row.kind
            lines += ["", kind] if lines else [kind]
        owner = "" if row.distribution == "luthier" else f"  [{row.distribution} {row.version}]"
        state = "" if row.state == "ok" else f"  ({row.state})"
        lines.append(f"  {row.name:<{width}}  {row.summary}{owner}{state}")
    return "\n".join(lines)


def page_of(kind: str, name: str) -> str:
    """Return all there is to know of one plugin, as text.

    Raises:
        UnknownPlugin: there is no such plugin, or no such kind.
        BrokenPlugin: it cannot be imported.
    """
    catalogue = Catalogue.installed()
    kinds = kinds_of(catalogue)
    if kind not in kinds:
        raise UnknownPlugin("kinds", kind, list(kinds))
    entry = catalogue.find(kind, name)
    value = plugin_of(entry)
    cls = value if isinstance(value, type) else type(value)
    module = entry.target.partition(":")[0]
    lines = [f"{kind}/{entry.name}", f"  from     {entry.distribution} {entry.version}, {module}"]
    key = kinds[kind].key
    if key:
        lines.append(f"  use      {key}: {_use(entry.name, many=kinds[kind].many)}")
    if absent := missing_packages(cls):
        lines.append(f"  needs    {', '.join(absent)}: {install_line(cls)}")
    # the class of a ready instance is one that others share, so its module alone speaks for it
    if isinstance(value, type):
        lines += ["", *_indented(documentation_of(cls))]
    about = sys.modules[module].__doc__ or ""
    lines += ["", *_indented(about), ""]
    lines += ["options", *(_options(cls, value) or ["  none"]), ""]
    lines += [f"hooks    {', '.join(hooks_of(cls)) or 'none: it is a value'}"]
    lines += _rules(cls)
    if cls.traits:
        lines.append(f"traits   {', '.join(sorted(cls.traits))}")
    return "\n".join(lines)


def _rules(cls: type[Plugin]) -> Iterator[str]:
    """Yield what a plugin says of others, and of devices."""
    for refusal in cls.refuses:
        yield f"refuses  {refusal.trait}: {refusal.reason}. {refusal.remedy}."
    for refusal in cls.no_default:
        yield f"default  not with {refusal.trait}: {refusal.reason}."
    for need in cls.needs:
        yield f"needs    {need.trait}: {need.reason}. {need.remedy}."


def _use(name: str, *, many: bool) -> str:
    return f"[{name}]" if many else name


def _indented(text: str) -> list[str]:
    return [f"  {line.strip()}".rstrip() for line in text.strip().split("\n")]


def _options(cls: type[Plugin], value: type[Plugin] | Plugin) -> list[str]:
    schema = cls.model_json_schema()
    lines = []
    for name, field in cls.model_fields.items():
        own = schema["properties"][name]
        if isinstance(value, Plugin):
            default = f" = {_short(getattr(value, name))}"
        elif field.is_required():
            default = " (required)"
        else:
            default = f" = {_short(field.get_default(call_default_factory=True))}"
        lines.append(f"  {name}: {_type_of(own)}{default}")
        lines.append(f"      {' '.join((field.description or '').split())}")
    return lines


def _short(value: object) -> str:
    text = json.dumps(to_jsonable_python(value), ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - fits a line


def _type_of(schema: dict[str, object]) -> str:
    """Return the type of a JSON schema in a word or two."""
    if "enum" in schema:
        options = schema["enum"]
        assert isinstance(options, list)  # noqa: S101 - what JSON Schema says of enum
        return " | ".join(json.dumps(option) for option in options)
    if "anyOf" in schema:
        options = schema["anyOf"]
        assert isinstance(options, list)  # noqa: S101 - what JSON Schema says of anyOf
        return " | ".join(_type_of(option) for option in options)
    return str(schema.get("type", "any"))
