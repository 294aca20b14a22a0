"""Sets that `save_to_disk` of the datasets library wrote into a folder.

Source: https://huggingface.co/docs/datasets/process#save.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadData, Finding, Plugin, hookimpl
from luthier.core.data import BadSource
from luthier.core.data.dataset import SPLIT

if TYPE_CHECKING:
    from datasets import Dataset

    from luthier.core.data import DatasetSpec

SPLITS = "dataset_dict.json"
STATE = "state.json"


class SavedToDisk(Plugin):
    """A folder that `save_to_disk` wrote: one set, or a set of several splits."""

    traits: ClassVar = frozenset({"local-files"})

    @hookimpl
    def check_dataset(self, spec: DatasetSpec) -> Iterator[Finding]:
        """Say whether there is such a folder, and such a split in it."""
        if spec.section.subset is not None:
            said = "a folder of `save_to_disk` has no subsets: all of it would be taken"
            yield Finding("subset", said, "Leave it out, and name the folder of that one.")
        folder = spec.local_path
        try:
            splits = _splits_of(folder)
        except BadSource as fault:
            yield Finding("path", fault.problem, fault.remedy)
            return
        split = spec.section.split
        if splits is None and split != SPLIT:
            said = "the folder holds one set without splits: all of it would be taken"
            yield Finding("split", said, "Leave `split` out.")
        elif splits is not None and split not in splits:
            there = ", ".join(splits) or "none"
            yield Finding("split", f"there is no split {split!r}", f"Splits there: {there}.")

    @hookimpl
    def open_dataset(self, spec: DatasetSpec) -> Dataset | None:
        """Return the set, its rows read from the folder as they are needed."""
        from datasets import load_from_disk

        folder = spec.local_path
        splits = _splits_of(folder)
        try:
            found: Any = load_from_disk(folder)
            return found if splits is None else found[spec.section.split]
        except (OSError, ValueError, KeyError, TypeError) as fault:
            said = " ".join(str(fault).split()).rstrip(".")
            raise BadData(
                f"{folder} cannot be read as `save_to_disk` writes it: {said}. "
                "Look whether the folder is whole, and at `split`."
            ) from fault


def _splits_of(folder: Path) -> list[str] | None:
    """Return the names of the splits of a folder; None where it holds one set.

    Raises:
        BadSource: it is no such folder.
    """
    if (folder / STATE).is_file():
        return None
    file = folder / SPLITS
    if not file.is_file():
        there = "holds neither" if folder.is_dir() else "is no folder, so there is neither"
        said = f"{folder} {there} {STATE} nor {SPLITS}"
        raise BadSource(said, "Name a folder that `save_to_disk` wrote; of files, leave `saved:`.")
    try:
        return [str(name) for name in json.loads(file.read_text("utf-8"))["splits"]]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise BadSource(f"{file} cannot be read: {fault}", "Save the set again.") from fault
