"""`luthier schema`: the JSON Schema of run files, the installed plugins' options in it."""

from __future__ import annotations

import json
from collections.abc import Callable

import typer

from luthier.core import Plugin, hookimpl


class Schema(Plugin):
    """Print the JSON Schema of run files, with the options of every installed plugin."""

    @hookimpl
    def build_command(self) -> Callable[..., None]:
        """Return the command."""
        return command


def command() -> None:
    """Print the schema."""
    from luthier.core.runfile.schema import run_file_schema

    typer.echo(json.dumps(run_file_schema(), indent=2, ensure_ascii=False))
