"""Heavy and optional packages, imported where they are needed, and asked for by one function."""

from __future__ import annotations

import importlib
from types import ModuleType

from luthier.core.errors import MissingPackage


def require(package: str, extra: str | None = None) -> ModuleType:
    """Return an optional package, imported.

    Args:
        package: the module's name, such as `bitsandbytes`.
        extra: luthier's extra that installs it; None where it is installed by its own name.

    Raises:
        MissingPackage: it is not installed; the message has the line that installs it.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as fault:
        if fault.name is not None and fault.name.partition(".")[0] != package.partition(".")[0]:
            raise  # the package is there and something that it needs itself is not
        line = f'pip install "luthier[{extra}]"' if extra else f"pip install {package}"
        raise MissingPackage(f"{package} is not installed. Install it: {line}") from fault
