"""Which checkpoint a run goes on from: the newest one that is whole."""

from __future__ import annotations

import json
import os
from pathlib import Path

from luthier.core.errors import BadRunFolder
from luthier.core.run.folder import RunFolder, discard
from luthier.core.run.ranks import is_first
from luthier.core.run.reporting import Reporter
from luthier.core.training.state import require_state

PARTS = ("weights", "optimizer", "scheduler", "random", "loop")
"""What `save_state` writes of a checkpoint."""
STATE = "trainer_state.json"
"""The name by which transformers' loop finds a checkpoint's step."""
SET_ASIDE = "damaged-"


def newest_whole(folder: RunFolder, reporter: Reporter) -> Path | None:
    """Return the newest checkpoint that is whole, or None where there is none at all.

    A newer one that is damaged, as a failing disk leaves it, gets another name, and is told.

    Args:
        folder: the run folder.
        reporter: who is told of what is damaged.

    Raises:
        BadRunFolder: all checkpoints are damaged.
    """
    faults: dict[Path, str] = {}
    for checkpoint in reversed(folder.existing_checkpoints()):
        try:
            _require_whole(checkpoint)
        except ValueError as torn:
            faults[checkpoint] = str(torn)
            continue
        for damaged, fault in faults.items() if is_first() else ():
            aside = damaged.with_name(f"{SET_ASIDE}{damaged.name}")
            if aside.exists():
                discard(aside)
            os.replace(damaged, aside)
            reporter.warn(
                f"{damaged} is damaged ({fault}); it is set aside as {aside.name}, "
                f"and the run goes on from {checkpoint.name}"
            )
        return checkpoint
    for damaged, fault in faults.items():
        raise BadRunFolder(
            f"{damaged} is damaged ({fault}), and no older checkpoint is whole. Put it back from "
            "a copy, or train anew with `--overwrite`."
        )
    return None


def _require_whole(checkpoint: Path) -> None:
    """Refuse a checkpoint of which something is absent or torn.

    Raises:
        ValueError: it is; the message says what.
    """
    for part in PARTS:
        require_state(checkpoint / part)
    try:
        json.loads((checkpoint / STATE).read_text(encoding="utf-8"))["global_step"]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise ValueError(f"{STATE} cannot be read: {fault}") from fault
