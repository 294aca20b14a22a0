"""`luthier explain`: the resolved run file, and what will be called in which order."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from luthier.core import Plugin, hookimpl
from luthier.core.cli.options import DeviceName, Overrides, RemoteCode, device_or_probe

URL = re.compile(r'\w+://[^\s"]+')


class Explain(Plugin):
    """Print the resolved run file with each value's origin, and the hooks that will run."""

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
    """Explain."""
    from luthier.core import check
    from luthier.core.cli.explanation import hooks_in_order
    from luthier.core.data.dataset import shown
    from luthier.core.runfile.writing import annotated

    resolved = check(run, overrides or (), device=device_or_probe(device))
    # what is printed may be shown to others: a URL without its secrets
    typer.echo(URL.sub(lambda url: shown(url[0]), annotated(resolved.tree)))
    typer.echo(f"# judged for: {resolved.device}, weights in {resolved.dtype}")
    typer.echo("# hooks, in the order in which they run:")
    for hook, owners in hooks_in_order(resolved):
        typer.echo(f"#   {hook:<22} {', '.join(owners)}")
