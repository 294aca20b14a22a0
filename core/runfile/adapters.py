"""The adapters that a run file's model has beneath what is trained: whether they can be there."""

from __future__ import annotations

from pathlib import Path

from luthier.core.model.adapters import (
    ADAPTER_CONFIG,
    adapter_config_of,
    fitted_to_quantized,
    is_prompt,
)
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.nodes import Node, UnusablePath, path_of

MERGE = (
    "Merge it into whole weights (`luthier merge ADAPTER NEW_FOLDER`), and name the new folder as "
    "`model.path`."
)


def require_adapters(node: Node, chooser: Chooser) -> None:
    """Tell of adapters that are no adapters' folders; the paths of the others become absolute."""
    listed = node.at(("adapters",))
    for index, item in enumerate(listed.items):
        key = f"model.adapters.{index}"
        if not isinstance(item.value, str):
            continue  # told where the section was read
        try:
            folder = path_of(item, item.value)
        except UnusablePath as fault:
            chooser.tell(item.place, key, str(fault), "Name the folder of an adapter.")
            continue
        if (folder / ADAPTER_CONFIG).is_file():
            item.value = str(folder)
        else:
            said = f"{folder} holds no adapter: there is no {ADAPTER_CONFIG} in it"
            chooser.tell(item.place, key, said, "Name a folder that PEFT saved an adapter to.")
    if listed.items:
        _judge_adapters(node, chooser)


def _judge_adapters(node: Node, chooser: Chooser) -> None:
    """Tell of plugins that cannot do with the adapters beneath what they train."""
    listed, key = node.at(("adapters",)), "model.adapters"
    chosen = [one for one, _, _ in chooser.chosen]
    new = [one for one in chosen if "adapter" in one.traits]
    continues = node.at(("continue_adapter",)).value is not False
    keeps_last = not chooser.training or bool(new and continues)
    _judge_each(node, chooser, keeps_last=keeps_last)
    for one in chosen:
        if "adds-layers" in one.traits:
            said = f"{one} gives layers new numbers, and the adapters are laid on them by these"
            chooser.tell(listed.place, key, said, MERGE)
        elif "quantized" in one.traits and len(listed.items) > keeps_last:
            said = f"{one} holds the weights in few bits, and {listed.items[0].value} would be "
            chooser.tell(listed.place, key, f"{said}merged into them", MERGE)
    for one in new if continues else ():
        if "continues-adapter" not in one.traits:
            said = f"{one} cannot go on training an adapter that was saved"
            remedy = "Let it lay a new one on the model and them: `model.continue_adapter: false`."
            chooser.tell(listed.place, key, said, remedy)


def _judge_each(node: Node, chooser: Chooser, *, keeps_last: bool) -> None:
    """Tell of adapters that cannot be merged, and of those that belong to weights in few bits."""
    items = node.at(("adapters",)).items
    quantized = any("quantized" in one.traits for one, _, _ in chooser.chosen)
    for index, item in enumerate(items):
        folder, key = Path(str(item.value)), f"model.adapters.{index}"
        merged = not keeps_last or index < len(items) - 1
        if merged and is_prompt(adapter_config_of(folder)):
            said = f"{folder} is no change of the model's weights, so it cannot be merged into them"
            remedy = "Leave it out, or go on with it: as the last, with the tuner that made it."
            chooser.tell(item.place, key, said, remedy)
        if chooser.training and not quantized and fitted_to_quantized(folder):
            said = f"{folder} was fitted to weights in few bits, and would lie on whole ones"
            remedy = (
                "Name the `quantizer` that it was trained beside, or merge it: `luthier merge`."
            )
            chooser.tell(item.place, key, said, remedy)
