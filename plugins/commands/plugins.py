"""`luthier plugins`: what is installed, and what each plugin does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated

import typer

from luthier.core import Plugin, hookimpl


class Plugins(Plugin):
    """List the installed plugins, or show one: `luthier plugins show KIND NAME`."""

    @hookimpl
    def build_command(self) -> Callable[..., None]:
        """Return the command."""
        return command


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="A kind, or `show KIND NAME`.", metavar="[KIND | show KIND NAME]"),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List or show."""
    from luthier.core.cli.listing import described, page_of, rows_of

    given = words or []
    if given[:1] == ["show"]:
        if len(given) != len(("show", "KIND", "NAME")):
            raise typer.BadParameter("write `luthier plugins show KIND NAME`")
        typer.echo(page_of(given[1], given[2]))
        return
    if len(given) > 1:
        raise typer.BadParameter(
            "write `luthier plugins KIND`, or `luthier plugins show KIND NAME`"
        )
    rows = rows_of(given[0] if given else None)
    if as_json:
        typer.echo(json.dumps([row._asdict() for row in rows], indent=2, ensure_ascii=False))
    else:
        typer.echo(described(rows) or f"No plugin of the kind {given[0]} is installed.")
