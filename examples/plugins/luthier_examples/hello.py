"""`luthier hello`: the least that a command can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from luthier.core import Plugin, hookimpl


class Hello(Plugin):
    """Greet, and say how many plugins are installed."""

    @hookimpl
    def build_command(self) -> Callable[..., None]:
        """Return the command."""
        return command


def command(*, name: Annotated[str, typer.Option(help="Whom to greet.")] = "luthier") -> None:
    """Greet."""
    from luthier.core.cli.listing import rows_of

    typer.echo(f"Hello, {name}! {len(rows_of())} plugins are installed.")
