"""`luthier init`: write a commented run file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from luthier.core import LuthierError, Plugin, hookimpl


class Init(Plugin):
    """Write a commented run file for a tuner and a stage."""

    @hookimpl
    def build_command(self) -> Callable[..., None]:
        """Return the command."""
        return command


def command(
    path: Annotated[Path, typer.Argument(help="The file to write.", metavar="FILE")] = Path(
        "run.yaml"
    ),
    *,
    tuner: Annotated[str, typer.Option(help="Which parameters are trained.")] = "",
    stage: Annotated[str, typer.Option(help="The training approach.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Write the file."""
    from luthier.core.runfile.starting import run_file_for

    if path.exists() and not force:
        raise LuthierError(f"{path} exists already. Name another file, or give --force.")
    text = run_file_for({"tuner": tuner, "stage": stage})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise LuthierError(
            f"{path} cannot be written: {fault.strerror}. Name another file."
        ) from fault
    typer.echo(f"{path} written. Fill in `data`, then: luthier check {path}")
