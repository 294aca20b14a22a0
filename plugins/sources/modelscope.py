"""Datasets of ModelScope, by id (https://modelscope.cn/docs/datasets)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadData, Plugin, hookimpl

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

    from luthier.core.data import DatasetSpec


class ModelScope(Plugin):
    """A dataset of ModelScope: `modelscope:owner/name`."""

    revision: str | None = None
    """The branch or tag of the dataset; pin one to repeat a run exactly."""
    data_dir: str | None = None
    """The folder of the dataset to take files from; all of it where this is not given."""

    packages: ClassVar = ("modelscope>=1.20",)

    @hookimpl
    def open_dataset(self, spec: DatasetSpec) -> Dataset | IterableDataset | None:
        """Return one split of the set; the rows come from ModelScope or from its local cache.

        Of a set that is streamed nothing is downloaded before it is read.
        """
        from modelscope import MsDataset  # type: ignore[import-not-found,unused-ignore]

        settings = {"subset_name": spec.section.subset, "data_dir": self.data_dir}
        if self.revision is not None:
            settings["version"] = self.revision
        given = {key: value for key, value in settings.items() if value is not None}
        try:
            found: Any = MsDataset.load(
                spec.location, split=spec.section.split, use_streaming=spec.streaming,
                trust_remote_code=False, **given,
            )  # fmt: skip
        except (OSError, ValueError, RuntimeError) as fault:
            said = " ".join(str(fault).split()).rstrip(".")
            raise BadData(
                f"ModelScope's dataset {spec.location} cannot be loaded: {said}. Look at its "
                "name, `split`, `subset` and `revision`, and whether ModelScope can be reached."
            ) from fault
        if not isinstance(found, MsDataset):
            return found
        # what makes a dataset of the library of it sets its format back, which a stream has not
        return found.ds_instance if spec.streaming else found.to_hf_dataset()
