"""Whether a model trains or is evaluated: each of its modules has a mode of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def evaluated(model: Any) -> Iterator[None]:
    """Have a model be evaluated, without dropout; each module is in its own mode afterwards.

    `model.train()` would put all of them into one, those that a tuner or a patch holds in
    evaluation among them.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
