"""What training changes of a model, and whether it has come to nothing."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from luthier.core.errors import Diverged


def require_finite(trained: Mapping[str, torch.nn.Parameter], step: int) -> None:
    """Refuse trained parameters that hold what is no finite number.

    Raises:
        Diverged: one does.
    """
    for name, parameter in trained.items():
        if not torch.isfinite(parameter).all():
            raise Diverged(lost(f"{name} holds what is no finite number", step))


def lost(fault: str, step: int) -> str:
    """Return what is said of a training that has come to nothing."""
    return (
        f"{fault} after step {step}, so the training has been stopped: it would come to nothing. "
        "Lower `training.learning_rate`, raise `training.warmup`, or choose a `model.dtype` of "
        "a wider range than float16; look at the data, too. Then train anew with `--overwrite`."
    )
