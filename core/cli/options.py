"""What commands share: their common parameters, and where they print."""

from __future__ import annotations

from typing import Annotated

import typer

from luthier.core.device import Device, device_named, probe
from luthier.core.model import remote_code
from luthier.core.run.reporting import ConsoleReporter

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        help="`key.path=value` sets a value of the run file, `~key.path` drops one.",
        metavar="[KEY=VALUE]...",
    ),
]
TrustPlugins = Annotated[
    bool,
    typer.Option("--trust-plugins", help="Run the plugin files that the folder's run.yaml names."),
]


def _allow_remote_code(given: bool) -> bool:  # noqa: FBT001 - typer calls it with the value
    if given:
        remote_code.allow()
    return given


RemoteCode = Annotated[
    bool,
    typer.Option(
        "--remote-code",
        help="Run code that comes with the model, if you trust it.",
        callback=_allow_remote_code,
    ),
]
"""It holds for the process and all it starts, so a command that takes it need not hand it on."""
DeviceName = Annotated[
    str | None,
    typer.Option("--device", help="Judge for this device, such as a100, instead of this machine."),
]


def console_reporter() -> ConsoleReporter:
    """Return what tells of a run on the standard output."""
    from rich.console import Console

    return ConsoleReporter(Console())


def device_or_probe(name: str | None) -> Device:
    """Return a device by name, or this machine's.

    Raises:
        LuthierError: no such device is known.
    """
    return device_named(name) if name else probe()
