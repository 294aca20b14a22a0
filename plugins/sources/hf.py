"""Datasets of the Hugging Face Hub, by id (https://huggingface.co/docs/datasets/loading)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luthier.core import BadData, Plugin, hookimpl

if TYPE_CHECKING:
    from datasets import Dataset

    from luthier.core.data.dataset import DatasetSpec


class HuggingFaceHub(Plugin):
    """A dataset of the Hugging Face Hub: `hf:owner/name`."""

    revision: str | None = None
    """The branch, tag or commit of the dataset; pin a commit to repeat a run exactly."""

    @hookimpl
    def open_dataset(self, spec: DatasetSpec) -> Dataset | None:
        """Return one split of the set; the rows come from the Hub or from its local cache."""
        from datasets import load_dataset

        section = spec.section
        try:
            return load_dataset(
                spec.location, section.subset, split=section.split, revision=self.revision
            )
        except (OSError, ValueError, RuntimeError) as fault:
            said = " ".join(str(fault).split())
            raise BadData(
                f"the Hub's dataset {spec.location} cannot be loaded: {said.rstrip('.')}. Look at "
                "its name, `split`, `subset` and `revision`, and whether the Hub can be reached."
            ) from fault
