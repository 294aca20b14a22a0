"""Local files of rows: JSON, JSON lines, CSV and Parquet, or a folder of files of one of them."""

from __future__ import annotations

import csv
import json
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core import BadData, Finding, Plugin, hookimpl
from luthier.core.data.dataset import BadRow

if TYPE_CHECKING:
    from datasets import Dataset

    from luthier.core.data.dataset import DatasetSpec

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
    def open_dataset(self, spec: DatasetSpec) -> Dataset | None:
        """Return the rows of all files, in the order of their names."""
        from datasets import load_dataset
        from datasets.exceptions import DatasetGenerationError

        files = _files_of(spec.local_path)
        reader = READERS[files[0].suffix.lower()]
        try:
            if reader in ROWS:
                return _table([row for file in files for row in ROWS[reader](file)], spec)
            return load_dataset(reader, data_files=[str(file) for file in files], split=SPLIT)
        except (DatasetGenerationError, ValueError, TypeError) as fault:
            cause = fault.__cause__ or fault
            said = " ".join(str(cause).split())
            raise BadData(
                f"{spec} is no {reader} that can be read: {said}. "
                "Write the file anew, or leave it out."
            ) from fault


def _table(rows: list[dict[str, Any]], spec: DatasetSpec) -> Dataset:
    """Return rows as a table with every key that any of them has, None where one has it not.

    Raises:
        BadRow: the value of a row is of another type than those of the rows before it.
    """
    from datasets import Dataset

    keys = dict.fromkeys(key for row in rows for key in row)
    columns = {key: [row.get(key) for row in rows] for key in keys}
    try:
        return Dataset.from_dict(columns)
    except MIXED:
        # datasets could hold them as JSON, and would then take the text "3" for a number
        key = next(key for key, values in columns.items() if not _is_column(values))
        values = columns[key]
        first = bisect_left(range(len(rows)), x=True, key=lambda n: not _is_column(values[: n + 1]))
        said = f"the field {key!r} is {values[first]!r:.60}, of another type than in the rows above"
        remedy = "Write the field alike in all rows, or take it out of them."
        raise BadRow(spec, first + 1, said, remedy) from None


MIXED = (ValueError, TypeError, OverflowError, NotImplementedError)
"""What pyarrow raises for values of a column that no one type holds."""


def _is_column(values: list[Any]) -> bool:
    """Return whether values are of one type, as a column has to be."""
    from datasets import Dataset

    try:
        return bool(Dataset.from_dict({"column": values}))
    except MIXED:
        return False


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
ROWS = {"json": _json_rows, "csv": _csv_rows}


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
