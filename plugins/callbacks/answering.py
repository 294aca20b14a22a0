"""What callbacks share that have the model answer held-out prompts."""

from __future__ import annotations

from typing import ClassVar

from luthier.core import Plugin, Refusal


class AnsweringCallback(Plugin):
    """Base of a callback that has the model answer."""

    traits: ClassVar = frozenset({"answers-held-out"})
    serves: ClassVar = "training"
    refuses: ClassVar = (
        Refusal(
            "shards-weights", "one process answers, by whole weights", "Train on one device, or "
            "leave it out",
        ),
    )  # fmt: skip
