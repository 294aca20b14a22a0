"""`luthier train`: train what a run file describes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from luthier.core import Plugin, hookimpl
from luthier.core.cli.options import Overrides, console_reporter


class Train(Plugin):
    """Train what a run file describes."""

    @hookimpl
    def build_command(self) -> Callable[..., None]:
        """Return the command."""
        return command


def command(
    run: Annotated[Path, typer.Argument(help="The run file, YAML or JSON.", metavar="RUN")],
    overrides: Overrides = None,
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete the run that `output` holds already.")
    ] = False,
) -> None:
    """Train."""
    from luthier.core import train

    reporter = console_reporter()
    folder = train(run, overrides or (), overwrite=overwrite, reporter=reporter)
    reporter.say("talk to it", f"luthier chat {folder.path}")
