"""Errors that a user can cause. Anything else is a fault of ours and keeps its traceback."""

from __future__ import annotations

from luthier.registry import AmbiguousPlugin, BrokenPlugin, LuthierError, UnknownPlugin

__all__ = [
    "AmbiguousPlugin",
    "BadData",
    "BadModel",
    "BadRunFolder",
    "BrokenPlugin",
    "Diverged",
    "LuthierError",
    "NoAnswer",
    "TemplateError",
    "TwoOwners",
    "UnknownPlugin",
]


class NoAnswer(LuthierError):
    """No selected plugin answered a hook that has to be answered."""


class TwoOwners(LuthierError):
    """Two plugins of one run want to decide the same thing."""


class BadData(LuthierError):
    """A dataset, a file of it, or one of its rows is not what its format declares."""


class BadModel(LuthierError):
    """A model is not where its path says, or is not what the run needs."""


class BadRunFolder(LuthierError):
    """A run folder is missing, incomplete, in use, or holds another run."""


class Diverged(LuthierError):
    """The loss of a run, or what it trains, is no finite number any more."""


class TemplateError(LuthierError):
    """A conversation or a tokenizer that a chat template cannot render."""
