"""Sets that a `dataset_info.json` names, in the form that LLaMA-Factory made common.

Source: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md. The file that stands
beside this module tells of public sets; each entry says where its facts come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from luthier.core import Plugin, hookimpl
from luthier.core.data import BadSource
from luthier.plugins.sources.entries import Entry, entries_of

if TYPE_CHECKING:
    from luthier.core.data import DatasetSpec

SHIPPED = Path(__file__).with_name("dataset_info.json")


class DatasetInfo(Plugin):
    """A set by its name in a dataset_info.json: `info:alpaca_en`."""

    file: str | None = None
    """A dataset_info.json, relative to the run file; the one that Luthier brings if not given."""
    hub: Literal["hf", "modelscope"] = "hf"
    """The hub that a set is taken from where it is on both."""

    @hookimpl
    def expand_dataset(self, spec: DatasetSpec) -> Mapping[str, Any] | None:
        """Return where the named set is, and of what shape."""
        file = SHIPPED if self.file is None else spec.base / Path(self.file).expanduser()
        entry = named_entry(entries_of(file), spec.location, file)
        return entry.declaration(file.resolve().parent, self.hub)


def named_entry(entries: Mapping[str, Any], name: str, file: Path) -> Entry:
    """Return the entry of a name.

    Raises:
        BadSource: there is none, or it is not what an entry may be.
    """
    from luthier.registry.errors import nearest

    if name not in entries:
        which, there = ("", "luthier's list") if file == SHIPPED else (f" {file}", file.name)
        raise BadSource(
            f"there is no set {name!r} in {there}",
            f"{nearest(name, entries)}The {len(entries)} there: `luthier data list{which}`.",
        )
    return Entry.of(entries[name], name, file)
