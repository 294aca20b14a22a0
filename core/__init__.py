"""The core of luthier: hook specifications, the run file, the pipeline, the command line.

It knows no plugin by name. What a plugin needs is exported here; what a program needs is
`train`, `resume`, `check` and `load`.
"""

from luthier.core.errors import BadData, BadModel, LuthierError, TemplateError
from luthier.core.hooks import API_VERSION, hookimpl, hookspec
from luthier.core.kinds import Kind
from luthier.core.plugin import Need, Plugin, Refusal
from luthier.core.problems import Finding
from luthier.core.requirement import require
from luthier.core.run import check, load, resume, train

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
    "require",
    "resume",
    "train",
]
