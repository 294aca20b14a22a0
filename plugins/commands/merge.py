"""`luthier merge`: put a trained adapter into its model's weights, and verify what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from luthier.core import Plugin, hookimpl
from luthier.core.cli.options import RemoteCode, TrustPlugins, console_reporter


class Merge(Plugin):
    """Put a trained adapter into its model's weights, and verify what comes of it."""

    @hookimpl
    def build_command(self) -> Callable[..., None]:
        """Return the command."""
        return command


def command(
    run: Annotated[
        str, typer.Argument(help="A run folder, or the folder of an adapter.", metavar="RUN")
    ],
    output: Annotated[Path, typer.Argument(help="The new folder.", metavar="OUT")],
    *,
    base: Annotated[
        str | None,
        typer.Option("--base", help="The whole model, where the adapter's is stored in few bits."),
    ] = None,
    prompts: Annotated[
        int, typer.Option("--prompts", min=1, help="How many texts it is verified with.")
    ] = 8,
    bound: Annotated[
        float | None,
        typer.Option(
            "--bound", min=0, help="The most that a logit may differ; else what rounding does."
        ),
    ] = None,
    trust_plugins: TrustPlugins = False,
    _remote_code: RemoteCode = False,
) -> None:
    """Merge."""
    from luthier.core.run.merging import merge

    merge(
        run,
        output,
        base=base,
        prompts=prompts,
        bound=bound,
        trust_plugins=trust_plugins,
        reporter=console_reporter(),
    )
