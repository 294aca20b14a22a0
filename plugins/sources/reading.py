"""Rows of files, by type: each read from an open binary stream, a few rows at a time.

A type is told by the ending of a file's name, before `.gz` or `.zst` where it is compressed.
"""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
import zlib
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias, cast

from luthier.core import BadData, Finding
from luthier.core.data import BadSource, Rows
from luthier.core.data.dataset import SPLIT
from luthier.core.data.rows import GivenRow
from luthier.plugins.sources import tables, texts
from luthier.plugins.sources.found import Reading
from luthier.plugins.sources.unpacking import Unpacked

if TYPE_CHECKING:
    from luthier.core.data import DatasetSpec

TextRows: TypeAlias = Literal["lines", "paragraphs", "files"]

TYPES = {
    ".json": "json",
    ".jsonl": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".txt": "txt",
}
"""The type that each ending means."""
PACKINGS = (".gz", ".zst")
ENDINGS = f"Data files end in: {', '.join(TYPES)}; each of them also in {' or '.join(PACKINGS)}."
SEEKING = ("parquet", "arrow")
"""The types whose tables of contents stand at their ends."""


@dataclass(frozen=True)
class DataFile:
    """A file of rows, wherever it is."""

    name: str
    """As messages show it, without secrets."""
    path: str
    """What its ending is read from."""
    open: Callable[[], BinaryIO]
    """Opens it anew; the stream need not seek."""

    @property
    def type(self) -> str | None:
        """The type that its ending means; None where it means none."""
        return type_of(self.path)

    @contextmanager
    def stream(self) -> Iterator[io.BufferedReader]:
        """Open it, unpacked; it seeks where its type has to."""
        packing = PurePosixPath(self.path.lower()).suffix
        with self.open() as raw:
            unpacked: Any = raw
            if packing == ".gz":
                unpacked = gzip.GzipFile(fileobj=raw)
            elif packing == ".zst":
                unpacked = Unpacked(raw)
            seeks = packing not in PACKINGS and raw.seekable()
            if self.type in SEEKING and not seeks:
                with tempfile.TemporaryFile() as spooled:
                    shutil.copyfileobj(unpacked, spooled)
                    spooled.seek(0)
                    yield io.BufferedReader(cast(Any, spooled))
            else:
                yield io.BufferedReader(unpacked)

    def read(self, start: int, text_rows: TextRows) -> Reading:
        """Yield its rows from the one of that number on; return how many there are in all.

        Raises:
            BadData: it cannot be read, or is not of its type.
        """
        from zstandard import ZstdError

        try:
            with self.stream() as stream:
                return (yield from _reader(str(self.type), text_rows)(stream, self.name, start))
        except (OSError, EOFError, zlib.error, ZstdError) as fault:
            said = getattr(fault, "strerror", None) or str(fault)
            raise BadData(
                f"{self.name} cannot be read: {said.rstrip('.')}. "
                "Look whether it is whole, and whether you may read it."
            ) from fault


def _reader(type_name: str, text_rows: TextRows) -> Callable[..., Reading]:
    return {
        "json": texts.json_rows,
        "csv": texts.csv_rows,
        "tsv": texts.tsv_rows,
        "parquet": tables.parquet_rows,
        "arrow": tables.arrow_rows,
        "txt": texts.TEXT_ROWS[text_rows],
    }[type_name]


def type_of(path: str) -> str | None:
    """Return the type that a path's ending means; None where it means none."""
    whole = PurePosixPath(path.lower())
    if whole.suffix in PACKINGS:
        whole = whole.with_suffix("")
    return TYPES.get(whole.suffix)


BESIDE = frozenset({
    "readme", "license", "licence", "copying", "notice", "authors", "changelog", "citation",
    "requirements", "dataset_info", "dataset_infos",
})  # fmt: skip
"""What files are called, but for their endings, that stand beside data and are none."""


def is_data(path: PurePath) -> bool:
    """Return whether a file of a folder is data: not hidden, of a known type, and no read-me.

    Args:
        path: the file, relative to the folder that was named.
    """
    hidden = any(part.startswith(".") for part in path.parts)
    name = path.name.lower().partition(".")[0]
    return not hidden and name not in BESIDE and type_of(path.name) is not None


def no_parts(spec: DatasetSpec) -> Iterator[Finding]:
    """Yield what is wrong where a run file names a part of files, which have none."""
    if spec.section.split != SPLIT:
        said = "a file has no splits: all of it would be taken"
        yield Finding("split", said, "Leave it out, and name the file of that split as `path`.")
    if spec.section.subset is not None:
        said = "a file has no subsets: all of it would be taken"
        yield Finding("subset", said, "Leave it out, and name the file of that one as `path`.")


def require_one_type(files: Sequence[DataFile], named: str) -> None:
    """Refuse files of several types, or of none that is known.

    Args:
        files: the files, at least one.
        named: the file or folder that the user named.

    Raises:
        BadSource: they are not of one known type.
    """
    found = {file.type: file for file in reversed(files)}
    if found.keys() == {None}:
        raise BadSource(f"{named} is of no type that is known", ENDINGS)
    if len(found) > 1:
        names = ", ".join(sorted(PurePosixPath(file.path).name for file in found.values()))
        said = f"the folder {named} holds files of several types: {names}"
        raise BadSource(said, "Keep one type in a folder, or name one dataset for each.")


def rows_of(files: Sequence[DataFile], fingerprint: str, text_rows: TextRows) -> Rows:
    """Return the rows of all files, one after the other.

    Args:
        files: files of one type.
        fingerprint: changes whenever their contents do.
        text_rows: what is one row of a text file.
    """

    def read(start: int) -> Iterator[GivenRow]:
        for file in files:
            start = max(0, start - (yield from _bare(file.read(start, text_rows))))

    def place(number: int) -> str:
        at, number = of_files(number)
        reading = files[at].read(number, text_rows)
        found = next(reading, None)
        reading.close()
        if found is None:
            return f"{files[at].name}, after its last row"
        on_line = f" (line {found.line})" if found.line not in {None, number + 1} else ""
        return f"{files[at].name}, row {number + 1}{on_line}"

    of_files = _Numbers(files, text_rows)

    def file_of(number: int) -> tuple[str, int]:
        at, number = of_files(number)
        return files[at].name, number

    several = file_of if len(files) > 1 else None
    return Rows(read, f"{fingerprint}:{text_rows}", place, several)


class _Numbers:
    """Finds the file of a row by its number; a file is counted once, and only if it has to be."""

    def __init__(self, files: Sequence[DataFile], text_rows: TextRows) -> None:
        self._files, self._text_rows = files, text_rows
        self._ends: list[int] = []

    def __call__(self, number: int) -> tuple[int, int]:
        """Return the number of the file, the last where none has the row, and that of the row."""
        while len(self._ends) < len(self._files) - 1 and number >= (self._ends or [0])[-1]:
            before = self._ends[-1] if self._ends else 0
            rows = _bare(self._files[len(self._ends)].read(0, self._text_rows))
            self._ends.append(before + sum(1 for _ in rows))
        at = bisect_right(self._ends, number)
        return at, number - (self._ends[at - 1] if at else 0)


def _bare(reading: Reading) -> Generator[GivenRow, None, int]:
    """Yield rows without their lines; return how many there are in all."""
    while True:
        try:
            found = next(reading)
        except StopIteration as end:
            return int(end.value)
        yield found.row
