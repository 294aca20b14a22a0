"""`luthier models`: the checkpoints that are known by a short name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated

import typer

from luthier.core import Plugin, hookimpl
from luthier.core.problems import counted


class Models(Plugin):
    """List the checkpoints that a run file may name by a short name."""

    @hookimpl
    def build_command(self) -> Callable[..., None]:
        """Return the command."""
        return command


def command(
    *,
    family: Annotated[
        str | None, typer.Option("--family", help="Only those of one family.", metavar="NAME")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with ids, templates and sources.")
    ] = False,
) -> None:
    """List."""
    from luthier.core.model.shelf import described, rows_of, without_rows

    rows = rows_of(family)
    if as_json:
        typer.echo(json.dumps([row._asdict() for row in rows], indent=2, ensure_ascii=False))
    elif rows:
        typer.echo(described(rows))
        typer.echo(
            f"\n{counted(len(rows), 'checkpoint', 'checkpoints')}: "
            "name, parameters, context in tokens, licence"
        )
    elif family is not None:
        typer.echo(without_rows(family))
