"""Options and rules that several optimizers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import Field

from luthier.core import BadModel, Finding, Need, Plugin, Refusal, hookimpl

if TYPE_CHECKING:
    import torch

    from luthier.core.model.layers import LayerMap, Targets
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
MATRICES = (
    Refusal("trains-vectors", "it is for matrices of layers, and the tuner trains none", PLAIN),
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


class WithMoments(Plugin):
    """Base of those that keep AdamW's moments, for all parameters or for some."""

    betas: Betas = (0.9, 0.999)
    """How much of AdamW's mean of gradients, and of that of their squares, is kept at each step."""
    eps: Positive = 1e-8
    """What is added to the root of the second moment."""

    serves: ClassVar = "training"


class Projecting(WithMoments):
    """Base of those that keep the moments of a gradient of low rank, where layers are targets."""

    rank: Count
    """The rank of the projection."""
    targets: str | list[str] = "all"
    """Which layers are projected: `all` linear ones, `attention`, `mlp`, a type, a list of these
    and of names, or a regular expression; AdamW trains the rest."""
    layerwise: bool = False
    """Whether each parameter is stepped in the backward pass, so that no gradients are held."""

    refuses: ClassVar = (*WHOLE_MATRICES, *ON_DEVICE, *MATRICES)
    needs: ClassVar = BASE_WEIGHTS

    @hookimpl
    def check_layers(self, model: Any, layers: LayerMap) -> None:
        """Refuse targets that are no layers, or of which nothing is trained."""
        require_matrices(model, layers, self.targets)

    def traits_of_options(self) -> frozenset[str]:
        """Return what comes with stepping in the backward pass."""
        return IN_BACKWARD if self.layerwise else frozenset()

    def groups_of(
        self, job: TrainingJob, more: Callable[[str], dict[str, Any]] = lambda _: {}
    ) -> list[dict[str, Any]]:
        """Return the parameters in groups, which say in `rank` whether they are projected.

        Args:
            job: the run; its model is open.
            more: what the group of a parameter says besides, told by its name.

        Raises:
            BadModel: a target matches no layer.
        """
        from luthier.core.training import parameter_groups

        chosen = matrices_of(job, self.targets)

        def settings(name: str, parameter: torch.nn.Parameter) -> dict[str, Any]:  # noqa: ARG001
            return {"rank": self.rank if name in chosen else None, **more(name)}

        return parameter_groups(job, settings)


def matrices_of(job: TrainingJob, targets: Targets) -> set[str]:
    """Return the names of the trained parameters that are matrices of layers, or stacks of them.

    The run is told which layers these are of.

    Args:
        job: the run; its model is open.
        targets: what the layer registry resolves.

    Raises:
        BadModel: a target matches no layer, or nothing of those that match is trained.
    """
    layers = job.opened.layers
    found = _matrices(job.opened.trained(), layers, targets)
    reached = dict.fromkeys(filter(None, map(layers.layer_of, found)))
    job.notes["optimizer"] = f"its targets are {layers.described(list(reached))}"
    return found


def require_matrices(model: Any, layers: LayerMap, targets: Targets) -> None:
    """Refuse targets of which nothing is trained, on a model without weights.

    Args:
        model: the one that `check_layers` is given; what a tuner freezes there is not trained.
        layers: the type of each of its layers.
        targets: what the layer registry resolves.

    Raises:
        BadModel: a target matches no layer, or nothing of those that match is trained.
    """
    trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
    _matrices(trained, layers, targets)


def _matrices(
    trained: Mapping[str, torch.nn.Parameter], layers: LayerMap, targets: Targets
) -> set[str]:
    """Return the names of those parameters that are matrices of the layers which targets name.

    Raises:
        BadModel: there are none.
    """
    from luthier.core.training.groups import MATRIX

    chosen = set(layers.matching(targets))
    found = {
        name
        for name, parameter in trained.items()
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
