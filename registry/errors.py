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
        self.kind, self.name = kind, name
        self.problem = f"there is no {kind} plugin named {name!r}"
        if elsewhere:
            self.problem += f" ({name!r} is one of the {', '.join(elsewhere)})"
        self.remedy = nearest(name, installed)
        self.remedy += f"Installed {kind}: {', '.join(installed) or 'none'}. "
        self.remedy += "A plugin is added by `pip install` of the package that holds it"
        super().__init__(f"{self.problem}. {self.remedy}.")


class AmbiguousPlugin(LuthierError):
    """Two installed distributions offer one name."""

    def __init__(self, kind: str, name: str, distributions: Sequence[str]) -> None:
        """Word the answer; `distributions` are the owners."""
        self.kind, self.name = kind, name
        self.problem = (
            f"the {kind} name {name!r} is offered by {' and by '.join(sorted(distributions))}"
        )
        self.remedy = "Choose one: " + " or ".join(f"`{d}:{name}`" for d in sorted(distributions))
        super().__init__(f"{self.problem}. {self.remedy}.")


class BrokenPlugin(LuthierError):
    """A plugin that is installed and cannot be used: it fails to import, or is no plugin."""

    def __init__(self, kind: str, name: str, distribution: str, reason: str) -> None:
        """Word the answer; `reason` is what the import or the check of the object said."""
        self.kind, self.name, self.reason = kind, name, reason
        self.problem = f"the {kind} plugin {name!r} of {distribution} is broken: {reason}"
        self.remedy = f"Update or uninstall {distribution}, or choose another of the {kind}"
        super().__init__(f"{self.problem}. {self.remedy}.")


def nearest(name: str, names: Iterable[str]) -> str:
    """Return "Did you mean 'x'? " for the name most like `name`, or the empty string."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}? " if close else ""
