"""Local files of rows: JSON, JSON lines, CSV and Parquet, or a folder of files of one of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from hashlib import file_digest, sha256
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadData, Finding, Plugin, hookimpl
from luthier.core.data import Rows

if TYPE_CHECKING:
    from luthier.core.data import DatasetSpec

READERS = {".json": "json", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet"}


SPLIT = "train"
"""What `split` says where a run file does not."""


class Files(Plugin):
    """A file of this machine, or a folder of files of one type."""

    traits: ClassVar = frozenset({"local-files"})

    @hookimpl
    def check_dataset(self, spec: DatasetSpec) -> Iterator[Finding]:
        """Say whether the files are there, readable, and of a type that is known."""
        if spec.section.split != SPLIT:
            said = "a file has no splits: all of it would be taken"
            yield Finding("split", said, "Leave it out, and name the file of that split as `path`.")
        if spec.section.subset is not None:
            said = "a file has no subsets: all of it would be taken"
            yield Finding("subset", said, "Leave it out, and name the file of that one as `path`.")
        try:
            for file in _files_of(spec.local_path):
                with file.open("rb") as stream:
                    if not stream.read(1):
                        yield Finding("path", f"{file} is empty", "Fill it, or leave it out.")
        except BadFiles as fault:
            yield Finding("path", fault.problem, fault.remedy)
        except OSError as fault:
            said = f"{fault.filename} cannot be read: {fault.strerror}"
            yield Finding("path", said, "Give yourself the right to read it (chmod).")

    @hookimpl
    def open_dataset(self, spec: DatasetSpec) -> Rows | None:
        """Return the rows of all files, in the order of their names."""
        files = _files_of(spec.local_path)
        read = ROWS[READERS[files[0].suffix.lower()]]

        def rows(start: int) -> Iterator[dict[str, Any]]:
            return islice(chain.from_iterable(map(read, files)), start, None)

        def place(number: int) -> str:
            for file in files:
                count = sum(1 for _ in read(file))
                if number < count:
                    return f"{file}, row {number + 1}"
                number -= count
            return str(spec)

        digest = sha256()
        for file in files:
            with file.open("rb") as stream:
                digest.update(file_digest(stream, "sha256").digest())
        return Rows(rows, digest.hexdigest(), place)


def _parquet_rows(file: Path) -> Iterator[dict[str, Any]]:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(file) as table:
        for batch in table.iter_batches(batch_size=1000):
            yield from batch.to_pylist()


def _json_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file: a list of objects, or an object on each line.

    Raises:
        BadData: it is neither; the message says where.
    """
    text = file.read_text(encoding="utf-8-sig")
    if text.lstrip()[:1] == "[":
        rows = list(enumerate(_json(text, file, 1), 1))
    else:
        lines = enumerate(text.split("\n"), 1)
        rows = [(n, _json(line, file, n)) for n, line in lines if line.strip()]
    for number, row in rows:
        if not isinstance(row, dict):
            raise BadData(
                f"{file}, row {number}: found {row!r:.60}, and a row is a JSON object. "
                'Write it as {"column": value}, or leave the row out.'
            )
        yield row


def _json(text: str, file: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as fault:
        at = line + getattr(fault, "lineno", 1) - 1
        said = getattr(fault, "msg", str(fault))
        raise BadData(
            f"{file}:{at}:{getattr(fault, 'colno', 1)}: {said}. "
            "Write a JSON object on each line, or one list of objects."
        ) from fault


def _csv_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file whose first line names the columns.

    Raises:
        BadData: a row has more values than there are columns.
    """
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        for row in reader:
            if None in row:  # where the csv module puts what has no column
                raise BadData(
                    f"{file}:{reader.line_num}: the row has more values than there are columns. "
                    "Put a value that holds a comma in double quotes."
                )
            yield row


# datasets' own readers take texts that look like numbers or dates for such
ROWS = {"json": _json_rows, "csv": _csv_rows, "parquet": _parquet_rows}


class BadFiles(BadData):
    """A path where there are no files of one known type."""

    def __init__(self, problem: str, remedy: str) -> None:
        """Keep both: a check of the run file tells them apart."""
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}. {remedy}")


def _files_of(path: Path) -> list[Path]:
    """Return the files of a path, all of one known type.

    Raises:
        BadFiles: there is nothing there, or it is of no known type.
    """
    endings = f"Data files end in: {', '.join(READERS)}."
    if not path.exists():
        raise BadFiles(f"there is no file {path}", _what_there_is(path))
    files = _data_files(path) if path.is_dir() else [path]
    if not files:
        raise BadFiles(f"the folder {path} holds no data", endings)
    found = {READERS.get(file.suffix.lower()) for file in files}
    if found == {None}:
        raise BadFiles(f"{path} is of no type that is known", endings)
    if len(found) > 1:
        said = f"the folder {path} holds files of several types"
        raise BadFiles(said, "Keep one type in a folder.")
    return files


def _data_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in READERS and p.is_file())


MOST_NAMED = 8


def _what_there_is(path: Path) -> str:
    """Return what stands where a file was looked for, and where else it may be."""
    folder = path.parent
    there = f"There is no folder {folder} either."
    if folder.is_dir():
        names = [file.name for file in _data_files(folder)]
        more = f" and {len(names) - MOST_NAMED} more" if names[MOST_NAMED:] else ""
        there = f"Data files in that folder: {', '.join(names[:MOST_NAMED]) or 'none'}{more}."
    return (
        f"{there} A relative path is found from the folder of the run file; "
        "a set of the Hugging Face Hub is `hf:owner/name`."
    )
