"""Whether code that comes with a model may be run: only by who starts the process.

Nothing that is read can allow it: no run file, no dataset, no model's folder and no request.
"""

from __future__ import annotations

import os

VARIABLE = "LUTHIER_REMOTE_CODE"
"""Of the environment: `1` lets the code run that comes with the models of this process."""
OPTION = "--remote-code"


def is_allowed() -> bool:
    """Return whether whoever started this process lets the code of its models run."""
    return os.environ.get(VARIABLE, "") == "1"


def allow() -> None:
    """Let the code of models run in this process, and in those that it starts."""
    os.environ[VARIABLE] = "1"


def refusal(path: str) -> str:
    """Return what is wrong with a model whose code may not be run, and what to do about it."""
    return f"{FAULT}. {way_out(path)}"


FAULT = "the model comes with code of its own, which transformers does not hold"


def way_out(path: str) -> str:
    """Return what to do about a model whose code may not be run."""
    return (
        f"If you trust {path}, read its code, then give `{OPTION}` on the command line, or "
        f"{VARIABLE}=1 in the environment; pin a `revision`, so that it stays what you read."
    )
