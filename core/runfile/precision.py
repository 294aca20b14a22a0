"""The precision of a run: what it cannot be trained in, and what its weights were not made for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from luthier.core.device import Device
from luthier.core.errors import BadModel
from luthier.core.model.evidence import config_of, stored_dtype
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.nodes import Node
from luthier.core.sections import ModelSection, Section, TrainingSection


def judge_precision(
    tree: Node,
    sections: Mapping[str, Section | None],
    folder: Path,
    device: Device,
    chooser: Chooser,
) -> None:
    """Refuse to train float16 alone, and warn of weights of bfloat16 that are loaded in it.

    Args:
        tree: the run file.
        sections: its sections; None stands for one that is wrong.
        folder: where the model's config lies, if it is at hand.
        device: where the run is to take place.
        chooser: what is told of it.
    """
    model, training = sections["model"], sections["training"]
    if not isinstance(model, ModelSection):
        return
    dtype = device.dtype if model.dtype == "auto" else model.dtype
    if dtype != "float16":
        return
    if chooser.training and isinstance(training, TrainingSection) and training.precision == "pure":
        place = tree.at(("training", "precision")).place
        said = f"the model is in float16 on {device}, whose small gradients would round to zero"
        remedy = "Leave it `mixed`, or set `model.dtype: bfloat16`."
        chooser.tell(place, "training.precision", said, remedy)
    with suppress(BadModel, OSError):  # told where the model is looked for
        if stored_dtype(config_of(folder) or {}) == "bfloat16":
            chooser.notes.append(
                f"the model's weights are stored in bfloat16, and loaded in float16 on {device}: "
                "what is beyond 65,504 becomes infinite. If the loss is no finite number, "
                "set `model.dtype: float32`."
            )
