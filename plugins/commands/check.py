"""`luthier check`: say whether a run file can be run, without loading anything heavy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from luthier.core import Plugin, hookimpl
from luthier.core.cli.options import DeviceName, Overrides, RemoteCode, device_or_probe


class Check(Plugin):
    """Say whether a run file can be run, and if not, everything that is wrong with it."""

    @hookimpl
    def build_command(self) -> Callable[..., None]:
        """Return the command."""
        return command


def command(
    run: Annotated[Path, typer.Argument(help="The run file, YAML or JSON.", metavar="RUN")],
    overrides: Overrides = None,
    *,
    device: DeviceName = None,
    _remote_code: RemoteCode = False,
) -> None:
    """Check."""
    from luthier.core import check

    resolved = check(run, overrides or (), device=device_or_probe(device))
    typer.echo(f"{run} can be run on {resolved.device}.")
    for note in resolved.notes:
        typer.echo(note)
    if resolved.on_hub and not resolved.of("templates"):
        unknown = "its template is" if resolved.family else "its family and its template are"
        typer.echo(
            f"{resolved.model.path} is on a hub: {unknown} found when it is fetched, or given "
            "with `family:` and `template:`."
        )
