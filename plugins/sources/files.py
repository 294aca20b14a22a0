"""Local files of rows: JSON, JSON lines, CSV, TSV, Parquet, Arrow and plain text.

Any of them may be compressed, by gzip or Zstandard; a folder holds files of one type.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast

from luthier.core import Finding, Plugin, hookimpl
from luthier.core.data import BadSource, Rows
from luthier.plugins.sources.reading import (
    ENDINGS,
    DataFile,
    TextRows,
    is_data,
    no_parts,
    require_one_type,
    rows_of,
    type_of,
)

if TYPE_CHECKING:
    from luthier.core.data import DatasetSpec

SAVED = ("state.json", "dataset_dict.json")
"""What `datasets` writes into the folder of a set that it saves."""


class Files(Plugin):
    """A file of this machine, or a folder of files of one type."""

    text_rows: TextRows = "lines"
    """What is one row of a .txt: each line, each paragraph between blank lines, or a whole file."""

    traits: ClassVar = frozenset({"local-files"})

    @hookimpl
    def check_dataset(self, spec: DatasetSpec) -> Iterator[Finding]:
        """Say whether the files are there, readable, and of a type that is known."""
        yield from no_parts(spec)
        try:
            for file in _files_of(spec.local_path):
                with file.open() as stream:
                    if not stream.read(1):
                        yield Finding("path", f"{file.name} is empty", "Fill it, or leave it out.")
        except BadSource as fault:
            yield Finding("path", fault.problem, fault.remedy)
        except OSError as fault:
            said = f"{fault.filename} cannot be read: {fault.strerror}"
            yield Finding("path", said, "Give yourself the right to read it (chmod).")

    @hookimpl
    def open_dataset(self, spec: DatasetSpec) -> Rows | None:
        """Return the rows of all files, in the order of their names."""
        files = _files_of(spec.local_path)
        digest = sha256()
        for file in files:
            digest.update(f"{file.type}/".encode())  # the same bytes are other rows in another type
            with file.open() as stream:
                digest.update(file_digest(cast(Any, stream), "sha256").digest())
        return rows_of(files, digest.hexdigest(), self.text_rows)


def _files_of(path: Path) -> list[DataFile]:
    """Return the files of a path, all of one known type.

    Raises:
        BadSource: there is nothing there, or it is of no known type.
    """
    if not path.exists():
        raise BadSource(f"there is no file {path}", _what_there_is(path))
    if path.is_dir() and any((path / name).is_file() for name in SAVED):
        said = f"the folder {path} holds a set that `save_to_disk` of datasets wrote"
        raise BadSource(said, f"Write `path: saved:{path}`.")
    found = _data_files(path) if path.is_dir() else [path]
    if not found:
        raise BadSource(f"the folder {path} holds no data", ENDINGS)
    files = [DataFile(str(file), file.name, partial(_opened, file)) for file in found]
    require_one_type(files, str(path))
    return files


def _opened(file: Path) -> BinaryIO:
    return file.open("rb")


def _data_files(folder: Path) -> list[Path]:
    """Return the files of a folder and of those in it whose endings are known, none hidden."""
    return sorted(
        file for file in folder.rglob("*") if is_data(file.relative_to(folder)) and file.is_file()
    )


MOST_NAMED = 8


def _what_there_is(path: Path) -> str:
    """Return what stands where a file was looked for, and where else it may be."""
    from luthier.registry.errors import nearest

    folder = path.parent
    there = f"There is no folder {folder} either."
    if folder.is_dir():
        names = sorted(file.name for file in folder.iterdir() if _is_shown(file))
        more = f" and {len(names) - MOST_NAMED} more" if names[MOST_NAMED:] else ""
        there = nearest(path.name, names)
        there += f"Data files in that folder: {', '.join(names[:MOST_NAMED]) or 'none'}{more}."
    return (
        f"{there} A relative path is found from the folder of the run file; "
        "a set of the Hugging Face Hub is `hf:owner/name`."
    )


def _is_shown(file: Path) -> bool:
    return type_of(file.name) is not None and not file.name.startswith(".") and file.is_file()
