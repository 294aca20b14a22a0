"""What the chosen plugins say of the model and the device, before anything is loaded."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from luthier.core.device import Device
from luthier.core.errors import BadModel
from luthier.core.model.evidence import config_of
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.nodes import Node, dotted
from luthier.core.sections import EncodingSection
from luthier.core.wiring import manager_of, steps


def look_at_model(
    tree: Node, folder: Path, encoding: EncodingSection, device: Device, chooser: Chooser
) -> None:
    """Tell of what the chosen plugins find wrong with the model, each at its own place.

    Args:
        tree: the run file.
        folder: where the model's config lies, if it is at hand.
        encoding: the run file's section.
        device: where the run is to take place.
        chooser: what chose the plugins, and is told what is wrong.
    """
    config: dict[str, Any] = {}
    with suppress(BadModel, OSError):  # told where the model is looked for
        config = config_of(folder) or {}
    chosen = {id(one.plugin): key for one, _, key in chooser.chosen}
    scope = [one for one, _, _ in chooser.chosen if one.kind not in {"sources", "formats"}]
    for step in steps(manager_of(scope), "check_model"):
        for finding in step.call(config=config, encoding=encoding, device=device) or ():
            at = tuple(
                int(part) if part.isdecimal() else part
                for part in (*chosen[id(step.plugin)].split("."), *finding.key.split("."))
                if part
            )
            chooser.tell(tree.at(at).place, dotted(at), finding.problem, finding.remedy)
