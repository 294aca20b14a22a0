"""A run file, resolved: what all else of luthier is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from luthier.core.data.dataset import DatasetSpec, Validation
from luthier.core.device import Device
from luthier.core.runfile.nodes import Node
from luthier.core.sections import (
    CheckpointSection,
    EncodingSection,
    EvaluationSection,
    FaultSection,
    GenerationSection,
    MixSection,
    ModelSection,
    ScheduleSection,
    TrainingSection,
)
from luthier.core.wiring import Selected


@dataclass(frozen=True)
class Run:
    """A run file, resolved: every value is set, every plugin chosen and checked."""

    model: ModelSection
    mix: MixSection
    encoding: EncodingSection
    training: TrainingSection
    schedule: ScheduleSection
    evaluation: EvaluationSection
    checkpoints: CheckpointSection
    faults: FaultSection
    generation: GenerationSection
    data: tuple[DatasetSpec, ...]
    validation: Validation
    output: Path
    """The run folder."""
    selected: tuple[Selected, ...]
    """The plugins of the run; those of a dataset stand in its DatasetSpec."""
    model_base: Path
    """The folder that a relative model path is found from."""
    tree: Node = field(repr=False)
    """Every value with its place, defaults included."""
    device: Device
    notes: tuple[str, ...] = ()
    """What is to be told of it: what could not be found out, and what was taken instead."""

    @property
    def datasets(self) -> tuple[DatasetSpec, ...]:
        """All datasets: those to train on, and those to be evaluated on."""
        return (*self.data, *self.validation.sets.values())

    def of(self, *kinds: str) -> list[Selected]:
        """Return the chosen plugins of these kinds, in the order of the kinds, then of the file."""
        return [one for kind in kinds for one in self.selected if one.kind == kind]

    @property
    def continues_adapter(self) -> bool:
        """Whether the last of the model's adapters is trained on."""
        trains_one = any("adapter" in one.traits for one in self.selected)
        return bool(self.model.adapters) and self.model.continue_adapter and trains_one

    @property
    def dtype(self) -> str:
        """Name of the precision of the weights: the file's, or what suits the device."""
        return self.device.dtype if self.model.dtype == "auto" else self.model.dtype

    @property
    def trained_dtype(self) -> str:
        """Name of the precision of what is trained (paper, section 3.1)."""
        return self.dtype if self.training.precision == "pure" else "float32"

    @property
    def on_hub(self) -> bool:
        """Whether the model has to be fetched: it is no folder, and no family makes it."""
        made = self.family is not None and self.model.path in getattr(
            self.family.plugin, "builtin", ()
        )
        return not made and not (self.model_base / self.model.path).is_dir()

    @property
    def family(self) -> Selected | None:
        """The model's family; None while the model is on a hub and nobody has looked."""
        return next(iter(self.of("families")), None)
