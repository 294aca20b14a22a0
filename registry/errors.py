"""The errors of a look-up. Each answers: what was asked, what there is, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class LuthierError(Exception):
    """Something that the user can put right; the command line prints it and exits with 2."""


class UnknownPlugin(LuthierError):
    """No installed distribution offers a plugin of this kind by this name."""

    def __init__(
        self, kind: str, name: str, installed: Sequence[str], elsewhere: Sequence[str] = ()
    ) -> None:
        """Word the answer.

        Args:
            kind: the kind that was asked, such as `tuners`.
            name: the name that was asked.
            installed: the names of that kind which are installed.
            elsewhere: the other kinds that have a plugin of that name.
        """
        self.kind, self.name, self.elsewhere = kind, name, tuple(elsewhere)
        self.problem = f"there is no {name!r} among the {kind}"
        if elsewhere:
            self.problem += f" ({name!r} is one of the {', '.join(elsewhere)})"
        # of `distribution:name`, the name alone is what may be misspelt and known all the same
        self.remedy = nearest(name.rpartition(":")[2], installed) + _listed(kind, installed)
        super().__init__(f"{self.problem}. {self.remedy}.")


class AmbiguousPlugin(LuthierError):
    """Two installed distributions offer one name."""

    def __init__(self, kind: str, name: str, distributions: Sequence[str]) -> None:
        """Word the answer; `distributions` are the owners."""
        self.kind, self.name = kind, name
        self.problem = (
            f"{name!r} among the {kind} is offered by {' and by '.join(sorted(distributions))}"
        )
        self.remedy = "Choose one: " + " or ".join(f"`{d}:{name}`" for d in sorted(distributions))
        super().__init__(f"{self.problem}. {self.remedy}.")


class BrokenPlugin(LuthierError):
    """A plugin that is installed and cannot be used: it fails to import, or is no plugin."""

    def __init__(
        self, kind: str, name: str, distribution: str, reason: str, *, installed: bool = True
    ) -> None:
        """Word the answer.

        Args:
            kind: the plugin's kind, such as `tuners`.
            name: its name within that kind.
            distribution: who offers it: a distribution, or a file that is none.
            reason: what the import or the check of the object said.
            installed: whether it is a distribution that offers it.
        """
        self.kind, self.name, self.reason = kind, name, reason
        self.problem = f"{name!r} among the {kind}, of {distribution}, is broken: {reason}"
        way_out = "Update or uninstall" if installed else "Mend"
        self.remedy = f"{way_out} {distribution}, or choose another of the {kind}"
        super().__init__(f"{self.problem}. {self.remedy}.")


MOST_LISTED = 30


def _listed(kind: str, installed: Sequence[str]) -> str:
    """Return what there is, and how more is added; a long list is left to the command for it."""
    there = ", ".join(installed) or "none"
    if len(installed) > MOST_LISTED:
        there = f"{len(installed)}, listed by `luthier plugins {kind}`"
    return (
        f"Installed {kind}: {there}. "
        "A plugin is added by `pip install` of the package that holds it"
    )


def nearest(name: str, names: Iterable[str]) -> str:
    """Return "Did you mean 'x'? " for the name most like `name`, or the empty string."""
    by_lower = {one.lower(): one for one in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"Did you mean {by_lower[close[0]]!r}? " if close else ""
