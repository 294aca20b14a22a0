"""The checkpoints that the installed families know, as rows and as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from luthier.core.errors import UnknownPlugin
from luthier.core.model.recognition import families_of
from luthier.registry import Catalogue

NOT_RUN = "loading path tested, architecture not run: its code comes with the model"
"""What is said of a family whose code transformers does not hold."""


class Row(NamedTuple):
    """One checkpoint, or a family of which none is listed."""

    family: str
    name: str
    hub: str
    modelscope: str | None
    parameters: str | None
    context: int | None
    license: str | None
    template: str | None
    brings_code: bool
    source: str


def rows_of(family: str | None = None, catalogue: Catalogue | None = None) -> list[Row]:
    """Return all checkpoints, or those of one family, by family and name.

    Raises:
        UnknownPlugin: there is no such family.
    """
    there = families_of(catalogue or Catalogue.installed())
    if family is not None and family not in there:
        raise UnknownPlugin("families", family, list(there))
    return [
        Row(
            name, one.name, one.hub, one.modelscope, one.parameters, one.context, one.license,
            one.template or known.template, known.brings_code, one.source,
        )
        for name, known in there.items()
        if family in {None, name}
        for one in known.checkpoints
    ]  # fmt: skip


def without_rows(family: str, catalogue: Catalogue | None = None) -> str:
    """Return what to name of a family that lists no checkpoint: what it makes itself, or a place.

    Raises:
        UnknownPlugin: there is no such family.
    """
    there = families_of(catalogue or Catalogue.installed())
    if family not in there:
        raise UnknownPlugin("families", family, list(there))
    made = " or ".join(f"`model: {name}`" for name in there[family].builtin)
    way = f"write {made}, which is built in" if made else "name a folder, or a hub's id"
    return f"The family {family} lists no checkpoint: {way}."


def described(rows: Sequence[Row]) -> str:
    """Return rows as text for people: a heading for each family, a line for each checkpoint."""
    lines: list[str] = []
    family = ""
    for row in rows:
        if row.family != family:
            family = row.family
            lines += ["", family] if lines else [family]
            lines += [f"  ({NOT_RUN})"] if row.brings_code else []
        size = row.parameters or ""
        context = _thousands(row.context)
        # the name alone where all of it does not fit a line: the ids are in `--json`
        lines.append(f"  {row.name:<40} {size:>6} {context:>6}  {row.license or ''}".rstrip())
    return "\n".join(lines)


def _thousands(tokens: int | None) -> str:
    """Return a context as models' pages have it: 131072 tokens are 128k."""
    if tokens is None:
        return ""
    return f"{tokens // 1024}k" if tokens % 1024 == 0 else f"{tokens:,}"
