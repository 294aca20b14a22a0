"""Datasets of the Hugging Face Hub, by id (https://huggingface.co/docs/datasets/loading)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core import BadData, Plugin, hookimpl

if TYPE_CHECKING:
    from datasets import Dataset

    from luthier.core.data.dataset import DatasetSpec

SCRIPTED = "Dataset scripts are no longer supported"
"""How the library begins its refusal of a set that only a program of its own can load."""


class HuggingFaceHub(Plugin):
    """A dataset of the Hugging Face Hub: `hf:owner/name`."""

    revision: str | None = None
    """The branch, tag or commit of the dataset; pin a commit to repeat a run exactly."""
    data_dir: str | None = None
    """The folder of the dataset to take files from; all of it where this is not given."""
    data_files: str | tuple[str, ...] | None = None
    """The files of the dataset to take, as paths or patterns in it; all where not given."""

    @hookimpl
    def open_dataset(self, spec: DatasetSpec) -> Dataset | None:
        """Return one split of the set, or a slice such as `train[:10%]`, as it is on the Hub."""
        from datasets import load_dataset

        section = spec.section
        chosen: Any = list(self.data_files) if isinstance(self.data_files, tuple) else None
        try:
            return load_dataset(
                spec.location,
                section.subset,
                split=section.split,
                revision=self.revision,
                data_dir=self.data_dir,
                data_files=chosen or self.data_files,
            )
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
