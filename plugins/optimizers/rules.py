"""Options and rules that several optimizers share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Field

from luthier.core import BadModel, Finding, Need, Refusal

if TYPE_CHECKING:
    from luthier.core.model.layers import Targets
    from luthier.core.run.job import TrainingJob

Decay: TypeAlias = Annotated[float, Field(ge=0, lt=1)]
"""How much of a running mean is kept at each step."""
Betas: TypeAlias = tuple[Decay, Decay]
Positive: TypeAlias = Annotated[float, Field(gt=0)]
Count: TypeAlias = Annotated[int, Field(ge=1)]

PLAIN = "Choose `optimizer: adamw`"

WHOLE_MATRICES = tuple(
    Refusal(trait, "it reads whole matrices, and each process would hold a part of them", PLAIN)
    for trait in ("shards-weights", "shards-optimizer")
)
ON_DEVICE = (
    Refusal("offloads-optimizer", "the step on the CPU that is offloaded to is AdamW's", PLAIN),
)
BASE_WEIGHTS = (
    Need(
        "trains-base-weights",
        "it saves memory where whole matrices are trained, and those of an adapter are small",
        "Choose `tuner: full`, or `optimizer: adamw`",
    ),
)
IN_BACKWARD = frozenset({"steps-in-backward", "one-process"})
"""The traits of an optimizer that is layer-wise."""


def matrices_of(job: TrainingJob, targets: Targets) -> set[str]:
    """Return the names of the trained parameters that are matrices of layers, or stacks of them.

    Args:
        job: the run; its model is open.
        targets: what the layer registry resolves.

    Raises:
        BadModel: a target matches no layer, or nothing of those that match is trained.
    """
    from luthier.core.training.groups import MATRIX
    from luthier.core.training.parameters import trained_parameters

    layers = job.opened.layers
    chosen = set(layers.resolve(targets))
    found = {
        name
        for name, parameter in trained_parameters(job.opened.model).items()
        if parameter.ndim >= MATRIX and layers.layer_of(name) in chosen
    }
    if not found:
        raise BadModel(
            f"no matrix is trained of the layers that the optimizer's `targets` ({targets}) name. "
            "Choose other `targets`, or `optimizer: adamw`."
        )
    return found


def eight_bits(bits: int) -> Iterable[Finding]:
    """Yield what is wrong with moments of 8 bits: bitsandbytes is missing."""
    from importlib.util import find_spec

    if bits == 8 and find_spec("bitsandbytes") is None:  # noqa: PLR2004
        remedy = 'Install it: pip install "luthier[bnb]"; or set `bits: 32`.'
        yield Finding("bits", "moments of 8 bits need bitsandbytes, not installed here", remedy)
