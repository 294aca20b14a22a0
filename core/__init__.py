"""The core of luthier: hook specifications, the run file, the pipeline, the command line.

It knows no plugin by name. What a plugin needs is exported here; what a program needs is
`train`, `resume`, `check` and `load`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadData, BadModel, LuthierError, TemplateError
from luthier.core.hooks import API_VERSION, hookimpl, hookspec
from luthier.core.kinds import Kind
from luthier.core.plugin import Need, Plugin, Refusal
from luthier.core.problems import Finding

if TYPE_CHECKING:
    from luthier.core.run.program import check, load, resume, train

__all__ = [
    "API_VERSION",
    "BadData",
    "BadModel",
    "Finding",
    "Kind",
    "LuthierError",
    "Need",
    "Plugin",
    "Refusal",
    "TemplateError",
    "check",
    "hookimpl",
    "hookspec",
    "load",
    "resume",
    "train",
]

_PROGRAM = frozenset({"check", "load", "resume", "train"})


def __getattr__(name: str) -> Any:
    """Import the functions of a program when one is asked for: a plugin needs none of them."""
    if name not in _PROGRAM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from luthier.core.run import program

    return getattr(program, name)
