"""What a terminal shows while a command reads and loads, so that nobody waits before a blank."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show on a terminal that something goes on; in a pipe, nothing.

    Args:
        text: what goes on, such as "reading the data".
    """
    from rich.console import Console

    console = Console(stderr=True)  # what a command prints may be on its way into a file
    if not console.is_terminal:
        yield
        return
    with console.status(text, spinner="line"):
        yield
