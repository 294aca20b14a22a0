"""Local files of rows: JSON, JSON lines, CSV and Parquet, or a folder of files of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from luthier.core import BadData, Finding, Plugin, hookimpl

if TYPE_CHECKING:
    from datasets import Dataset

    from luthier.core.dataset import DatasetSpec

READERS = {".json": "json", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet"}


class Files(Plugin):
    """A file of this machine, or a folder of files of one type."""

    traits: ClassVar = frozenset({"local-files"})

    @hookimpl
    def check_dataset(self, spec: DatasetSpec) -> Iterator[Finding]:
        """Say whether the files are there, readable, and of a type that is known."""
        try:
            files = _files_of(spec.local_path)
            for file in files:
                with file.open("rb") as stream:
                    if not stream.read(1):
                        yield Finding("path", f"{file} is empty", "Fill it, or leave it out.")
        except BadData as fault:
            problem, _, remedy = str(fault).partition(". ")
            yield Finding("path", problem, remedy)
        except OSError as fault:
            said = f"{fault.filename} cannot be read: {fault.strerror}"
            yield Finding("path", said, "Give yourself the right to read it (chmod).")

    @hookimpl
    def open_dataset(self, spec: DatasetSpec) -> Dataset | None:
        """Return the rows of all files, in the order of their names."""
        from datasets import load_dataset
        from datasets.exceptions import DatasetGenerationError

        files = _files_of(spec.local_path)
        reader = READERS[files[0].suffix]
        split = spec.section.split
        try:
            return load_dataset(
                reader, data_files={split: [str(file) for file in files]}, split=split
            )
        except (DatasetGenerationError, ValueError) as fault:
            cause = fault.__cause__ or fault
            said = " ".join(str(cause).split())
            raise BadData(f"{spec} is no {reader} that can be read: {said}") from fault


def _files_of(path: Path) -> list[Path]:
    """Return the files of a path, all of one known type.

    Raises:
        BadData: there is nothing there, or it is of no known type.
    """
    known = ", ".join(READERS)
    if not path.exists():
        raise BadData(
            f"there is no file {path}. A relative path is found from the folder of the run file; "
            "a set of the Hugging Face Hub is `hf:owner/name`."
        )
    files = sorted(p for p in path.iterdir() if p.suffix in READERS) if path.is_dir() else [path]
    if not files:
        raise BadData(f"the folder {path} holds no data. Data files end in: {known}.")
    if {READERS.get(file.suffix) for file in files} - {READERS.get(files[0].suffix)}:
        raise BadData(f"the folder {path} holds files of several types. Keep one type in a folder.")
    if files[0].suffix not in READERS:
        raise BadData(f"{path} is of no type that is known. Data files end in: {known}.")
    return files
