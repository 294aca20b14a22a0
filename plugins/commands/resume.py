"""`luthier resume`: go on with a run that was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from luthier.core import Plugin, hookimpl
from luthier.core.cli.options import RemoteCode, TrustPlugins, console_reporter


class Resume(Plugin):
    """Go on with a run that was interrupted, as if it never had been."""

    @hookimpl
    def build_command(self) -> Callable[..., None]:
        """Return the command."""
        return command


def command(
    run_dir: Annotated[Path, typer.Argument(help="The run folder.", metavar="RUN_DIR")],
    *,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes", help="Go on though settings, data or processes have changed."
        ),
    ] = False,
    trust_plugins: TrustPlugins = False,
    _remote_code: RemoteCode = False,
) -> None:
    """Resume."""
    from luthier.core import resume

    resume(
        run_dir, accept_changes=accept_changes, trust_plugins=trust_plugins,
        reporter=console_reporter(),
    )  # fmt: skip
