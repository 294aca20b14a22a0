"""What answers conversations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from luthier.core.templates import Message


class Engine(Protocol):
    """A model that answers. It keeps no history: each call gets the whole conversation."""

    def stream(self, messages: Sequence[Message]) -> Iterator[str]:
        """Yield the answer in stretches of text, as they come."""
        ...

    def answer(self, messages: Sequence[Message]) -> str:
        """Return the whole answer."""
        ...
