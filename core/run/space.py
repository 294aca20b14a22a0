"""Whether the disk has room for what a run will write, told before its first step."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from luthier.core.errors import BadRunFolder
from luthier.core.run.folder import PREVIOUS, RunFolder
from luthier.core.run.ranks import world
from luthier.core.run.reporting import Reporter

if TYPE_CHECKING:
    from luthier.core.hooks import Items
    from luthier.core.model.opening import OpenModel
    from luthier.core.runfile import Run

MOMENTS = 2
"""What an optimizer keeps of each trained weight at most, as wide as itself: AdamW's moments."""
BESIDES = 2**20
"""Bytes of a checkpoint beside weights and moments, such as states of random generators."""
NEAR = 0.8
"""From this share of the free space on a run is warned of."""


def require_space(
    run: Run, folder: RunFolder, opened: OpenModel, items: Items, reporter: Reporter
) -> None:
    """Refuse a run whose checkpoints and model do not fit on the disk; warn where they hardly do.

    What its optimizer keeps is taken to be as much as AdamW does; checkpoints that are there tell
    better.

    Args:
        run: the resolved run.
        folder: where it writes.
        opened: its model.
        items: what its batches are made of.
        reporter: who is told.

    Raises:
        BadRunFolder: there is too little room.
    """
    there = [_bytes_in(one) for one in folder.existing_checkpoints()]
    each = max(there, default=checkpoint_bytes(opened))
    model = model_bytes(opened)
    count = most_checkpoints(run, items)
    needed = max(0, count * each + model - sum(there))
    # what is overwritten is deleted before the first step
    free = shutil.disk_usage(folder.path).free + _bytes_in(folder.path / PREVIOUS)
    if needed <= NEAR * free:
        return
    told = (
        f"the run may write {shown(needed)} more to {folder.path}, where {shown(free)} are free: "
        f"{count} checkpoints of {shown(each)}, one of them while it is written, and a model of "
        f"{shown(model)}"
    )
    if needed > free and run.checkpoints.require_space:
        raise BadRunFolder(
            f"{told}. Make room, choose another `output`, or lower `checkpoints.keep`; where the "
            "optimizer keeps less than AdamW, set `checkpoints.require_space: false`."
        )
    reporter.warn(f"the disk will be nearly full: {told}")


def most_checkpoints(run: Run, items: Items) -> int:
    """Return how many checkpoints stand on the disk at most, the one being written among them."""
    kept = run.checkpoints.keep + 1
    if run.evaluation.best or run.evaluation.patience:
        return kept + 1
    steps = run.training.max_steps or _steps(run, len(items))
    return min(kept, -(-steps // run.checkpoints.every))


def _steps(run: Run, items: int) -> int:
    training = run.training
    at_once = training.batch_size * training.gradient_accumulation * world()
    return int(training.epochs * -(-items // at_once)) + 1


def checkpoint_bytes(opened: OpenModel) -> int:
    """Return the bytes of a checkpoint, with the moments of AdamW."""
    trained = sum(p.numel() * p.element_size() for p in opened.trained().values())
    return (1 + MOMENTS) * trained + BESIDES


def model_bytes(opened: OpenModel) -> int:
    """Return the bytes of the model that a run ends with, or of its adapter."""
    if hasattr(opened.model, "peft_config"):
        return sum(p.numel() * p.element_size() for p in opened.trained().values())
    return sum(p.numel() * p.element_size() for p in opened.model.parameters())


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def shown(size: int) -> str:
    """Return a number of bytes as a person reads it: `840 MB`, `12.5 GB`."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"  # noqa: PLR2004
