"""`luthier data`: what sets a dataset_info.json offers, and what is wrong with those of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from luthier.core import Plugin, hookimpl

HEADINGS = ("name", "from", "format", "licence")


class Data(Plugin):
    """List data sets, and look for faults in those of a run."""

    @hookimpl
    def build_command(self) -> Mapping[str, Callable[..., None]]:
        """Return the subcommands."""
        from luthier.plugins.commands.data_check import check

        return {"list": names, "check": check}


def names(
    file: Annotated[
        Path | None,
        typer.Argument(help="A dataset_info.json; the one Luthier brings if not given."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the sets of a dataset_info.json: `path: info:NAME` in a run file takes one."""
    rows = _rows(file)
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    table = [HEADINGS, *(tuple(row[key] or "-" for key in HEADINGS) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _rows(file: Path | None) -> list[dict[str, str | None]]:
    from luthier.core.data import BadSource
    from luthier.core.data.dataset import shown
    from luthier.plugins.sources.entries import sound_entries
    from luthier.plugins.sources.info import SHIPPED

    found = file or SHIPPED
    rows = []
    for name, entry in sound_entries(found):
        shape: str | None = None
        try:
            where = shown(entry.declaration(found.resolve().parent, "hf")["path"])
            shape = entry.format
        except BadSource as fault:
            where = f"({fault.problem})"
        facts = {"licence": entry.licence, "facts": entry.facts, "note": entry.note}
        rows.append({"name": name, "from": where, "format": shape, **facts})
    return rows
