"""What a run takes place in besides its device: its precision, its processes, its data.

Their rules stand beside those of the plugins when a run file is judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from luthier.core.device import Device
from luthier.core.plugin import Refusal
from luthier.core.sections import ModelSection, TrainingSection


class Circumstance(Protocol):
    """What a run takes place in: it refuses plugins, as they refuse each other."""

    @property
    def refuses(self) -> tuple[Refusal, ...]:
        """What it cannot be combined with."""

    @property
    def where(self) -> str:
        """How it is said of a run that takes place there, such as `in 2 processes`."""


@dataclass(frozen=True)
class Precision:
    """What a model is computed and trained in (paper, section 3.1)."""

    dtype: Literal["float32", "bfloat16", "float16"]
    mode: Literal["mixed", "pure"] = "mixed"
    """Whether trained weights are in float32 beside a model of half precision."""
    scaled: bool = False
    """Whether gradients are scaled, as those of float16 have to be on a GPU."""
    casts: bool = True
    """Whether torch casts weights of float32 that stand among such of it: not float16 on a CPU."""

    def __str__(self) -> str:
        return self.dtype if self.dtype == "float32" else f"{self.mode} {self.dtype}"

    @property
    def where(self) -> str:
        """How it is said of a run."""
        return f"in {self}"

    @property
    def refuses(self) -> tuple[Refusal, ...]:
        """What steps before scaled gradients are scaled back, and what would have to be cast."""
        rules = []
        if self.scaled:
            reason = "gradients are scaled there"
            rules.append(Refusal("steps-in-backward", reason, "Set `model.dtype: float32`"))
        if not self.casts:
            reason = "what is trained is in float32, and torch does not cast it there"
            rules.append(Refusal("trains-base-weights", reason, "Set `model.dtype: bfloat16`"))
        return tuple(rules)

    def lacking(self, device: Device) -> str | None:
        """Return what a device lacks to train in it as GPUs do."""
        scaled_here = device.kind != "cpu"
        return f"{self} has its gradients scaled" if self.scaled and not scaled_here else None

    @classmethod
    def of(cls, model: ModelSection, training: TrainingSection, device: Device) -> Precision:
        """Return that of a run.

        Args:
            model: the section of its file that tells the precision of the weights.
            training: the one that tells how they are trained.
            device: where it takes place.
        """
        dtype = device.dtype if model.dtype == "auto" else model.dtype
        mixed = dtype == "float16" and training.precision == "mixed"
        on_cpu = device.kind == "cpu"
        return cls(
            dtype, training.precision, scaled=mixed and not on_cpu, casts=not (mixed and on_cpu)
        )


PRECISIONS = (
    Precision("bfloat16", "mixed"),
    Precision("float16", "mixed", scaled=True),
    Precision("bfloat16", "pure"),
    Precision("float32", "mixed"),
)
"""Those that a model can be trained in on a GPU; float16 alone is none of them."""


@dataclass(frozen=True)
class Fact:
    """Something that is so in a run, and what it cannot be combined with."""

    where: str
    """How it is said of a run."""
    refuses: tuple[Refusal, ...]


UNTAUGHT = "nothing would train their embeddings, which begin as noise"
STREAMED = Fact(
    "with streamed rows",
    (
        Refusal(
            "reads-ahead", "it looks at all rows before any is trained on",
            "Set `mix.streaming: false`",
        ),
    ),
)  # fmt: skip
NEW_TOKENS = Fact(
    "with tokens that are new to the model",
    (Refusal("fixed-embedding", UNTAUGHT, "Add no tokens"),),
)
NOTHING_HELD_OUT = Fact(
    "without held-out rows",
    (
        Refusal(
            "answers-held-out", "it has the model answer them", "Add such as `validation: 0.05`"
        ),
    ),
)


def in_processes(count: int) -> Fact:
    """Return that several processes train one model together."""
    rule = Refusal("one-process", "each would train a model of its own", "Begin one process")
    return Fact(f"in {count} processes", (rule,))
