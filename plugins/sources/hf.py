"""Datasets of the Hugging Face Hub, by id (https://huggingface.co/docs/datasets/loading)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from luthier.core import BadData, Finding, Plugin, hookimpl
from luthier.core.data import Rows

if TYPE_CHECKING:
    from datasets import Dataset

    from luthier.core.data.dataset import DatasetSpec

SCRIPTED = "Dataset scripts are no longer supported"
"""How the library begins its refusal of a set that only a program of its own can load."""

PART = frozenset("[]+")
"""What a `split` holds that is none as it stands: `train[:10%]`, `train+test`."""


class HuggingFaceHub(Plugin):
    """A dataset of the Hugging Face Hub: `hf:owner/name`."""

    revision: str | None = None
    """The branch, tag or commit of the dataset; pin a commit to repeat a run exactly."""
    data_dir: str | None = None
    """The folder of the dataset to take files from; all of it where this is not given."""
    data_files: str | tuple[str, ...] | None = None
    """The files of the dataset to take, as paths or patterns in it; all where not given."""

    @hookimpl
    def check_dataset(self, spec: DatasetSpec) -> Iterator[Finding]:
        """Refuse a part of a split where rows are streamed."""
        if spec.streaming and PART & set(spec.section.split):
            said = "a part of a split, or several, cannot be streamed"
            yield Finding("split", said, "Name one split; `samples` takes rows from its start.")

    @hookimpl
    def open_dataset(self, spec: DatasetSpec) -> Dataset | Rows | None:
        """Return one split of the set, or a slice such as `train[:10%]`, as it is on the Hub.

        Of a set that is streamed nothing is downloaded before it is read.
        """
        from datasets import load_dataset, load_dataset_builder

        section = spec.section
        chosen: Any = list(self.data_files) if isinstance(self.data_files, tuple) else None
        named: Any = {
            "path": spec.location, "name": section.subset, "revision": self.revision,
            "data_dir": self.data_dir, "data_files": chosen or self.data_files,
        }  # fmt: skip
        try:
            if not spec.streaming:
                return load_dataset(split=section.split, **named)
            builder: Any = load_dataset_builder(**named)
            stream = builder.as_streaming_dataset(split=section.split)
            # the first changes with the commit on the Hub, or with the files of a folder
            told = (builder.hash, builder.config_id, spec.location, section.split)
            return Rows.of(stream, ":".join(map(str, told)))
        except (OSError, ValueError, RuntimeError) as fault:
            said = " ".join(str(fault).split()).rstrip(".")
            raise BadData(
                f"the Hub's dataset {spec.location} cannot be loaded: {said}. {_remedy(said)}"
            ) from fault


def _remedy(said: str) -> str:
    if said.startswith(SCRIPTED):
        return (
            "No program of a dataset is run. Take its conversion to Parquet, which the Hub makes "
            "of many sets: `source: {name: hf, revision: refs/convert/parquet}`; or convert it "
            "yourself, and name the files as `path`."
        )
    return "Look at its name, `split`, `subset` and `revision`, and whether the Hub can be reached."
