"""What the chosen plugins say of the model and the device, before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from luthier.core.device import Device
from luthier.core.errors import BadModel
from luthier.core.model.attention import unwrapped, why_unwrapped
from luthier.core.model.evidence import config_of
from luthier.core.model.vocabulary import why_fixed
from luthier.core.problems import Finding
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.nodes import Node, dotted, path_to
from luthier.core.sections import EncodingSection, ModelSection
from luthier.core.wiring import manager_of, steps

UNWRAPPABLE = "Leave it out, or choose another model."


def findings(
    folder: Path, model: ModelSection, encoding: EncodingSection, device: Device, chooser: Chooser
) -> Iterator[tuple[str, Finding]]:
    """Yield what the chosen plugins find wrong with the model, each with the plugin's key.

    Of plugins that would be laid over attention which takes nothing, it is found for them; and of
    tokens that are to be new to a model whose vocabulary cannot grow, without one.

    Args:
        folder: where the model's config lies, if it is at hand.
        model: the run file's section of that name.
        encoding: the run file's section of that name.
        device: where the run is to take place.
        chooser: what chose the plugins.
    """
    config: dict[str, Any] = {}
    with suppress(BadModel, OSError):  # told where the model is looked for
        config = config_of(folder) or {}
    chosen = {id(one.plugin): key for one, _, key in chooser.chosen}
    scope = [one for one, _, _ in chooser.chosen if one.kind not in {"sources", "formats"}]
    for field in ("add_tokens", "add_special_tokens"):
        if getattr(model, field) and (reason := why_fixed(config)):
            yield "model", Finding(field, reason, "Leave it out, or choose another model.")
    manager = manager_of(scope)
    if kind := unwrapped(config):
        for step in steps(manager, "wrap_attention"):
            yield chosen[id(step.plugin)], Finding("", why_unwrapped(kind), UNWRAPPABLE)
    for step in steps(manager, "check_model"):
        told = step.call(
            config=config, folder=folder, model=model, encoding=encoding, device=device
        )
        for finding in told or ():
            yield chosen[id(step.plugin)], finding


def tell_findings(found: Iterable[tuple[str, Finding]], tree: Node, chooser: Chooser) -> None:
    """Tell of what plugins found wrong with the model, each at its own place in the run file."""
    for key, finding in found:
        at = path_to(f"{key}.{finding.key}" if finding.key else key)
        chooser.tell(tree.at(at).place, dotted(at), finding.problem, finding.remedy)
