"""Prepared rows on the disk: in shards, each whole or absent, so that work is never done twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.core.data.columns import digest
from luthier.core.problems import counted
from luthier.core.run.folder import cache_folder, written_whole

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset


@dataclass
class Counts:
    """What became of rows."""

    read: int = 0
    """Rows of the source."""
    rows: int = 0
    """Rows to train on."""
    tokens: int = 0
    trained_tokens: int = 0
    too_long: int = 0
    """Rows left out because they are longer than `encoding.max_length`."""
    cut: int = 0
    """Rows whose end was cut off, or that were split."""
    bad: int = 0
    """Rows left out because something is wrong with them."""
    thoughtless: int = 0
    """Rows whose answers hold no thoughts, where the template is one of thoughts."""
    unprinted: int = 0
    """Rows whose answers hold thoughts that the template leaves out."""

    def __iadd__(self, other: Counts) -> Counts:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        return self

    def __str__(self) -> str:
        text = (
            f"{counted(self.rows, 'row', 'rows')}, {counted(self.tokens, 'token', 'tokens')}, "
            f"{self.trained_tokens:,} of them trained"
        )
        for count, said in (
            (self.too_long, "dropped as too long"),
            (self.bad, "dropped as bad"),
            (self.cut, "cut"),
        ):
            text += f"; {counted(count, 'row', 'rows')} {said}" if count else ""
        return text

    def facts(self) -> dict[str, int]:
        """Return what the manifest keeps."""
        return {**vars(self), "dropped": self.too_long + self.bad}


@dataclass
class Shard:
    """The rows made of a stretch of a source's rows."""

    counts: Counts
    digest: str = ""
    last: bool = False
    """Whether the source has no more rows."""
    rejected: list[dict[str, Any]] = field(default_factory=list)
    """The rows that were left out: `row`, from 1, and `problem`."""

    def __iadd__(self, other: Shard) -> Shard:
        self.counts += other.counts
        self.rejected += other.rejected
        return self


class Store:
    """The shards of one dataset under one key."""

    def __init__(self, key: Any) -> None:
        """Find them.

        Args:
            key: all that they depend on, as JSON.
        """
        text = json.dumps(key, sort_keys=True, ensure_ascii=False, default=str)
        self.folder = cache_folder() / "data" / hashlib.sha256(text.encode()).hexdigest()[:32]

    def __iter__(self) -> Iterator[Shard]:
        """Yield the shards that are there, as far as none is missing."""
        number = 0
        while (file := self._shard(number) / "shard.json").is_file():
            told = json.loads(file.read_text(encoding="utf-8"))
            yield Shard(**{**told, "counts": Counts(**told["counts"])})
            number += 1

    def write(self, number: int, table: pa.Table, shard: Shard) -> Shard:
        """Write a shard, whole or not at all."""
        import pyarrow as pa

        shard.digest = digest(table)
        with written_whole(self._shard(number)) as folder:
            with (
                pa.OSFile(str(folder / "rows.arrow"), "wb") as sink,
                pa.ipc.new_stream(sink, table.schema) as writer,
            ):
                writer.write_table(table)
            told = {**vars(shard), "counts": vars(shard.counts)}
            text = json.dumps(told, ensure_ascii=False)
            (folder / "shard.json").write_text(text, encoding="utf-8")
        return shard

    def dataset(self, number: int) -> Dataset:
        """Return the rows of a shard, read from the disk as they are needed."""
        from datasets import Dataset

        return Dataset.from_file(str(self._shard(number) / "rows.arrow"))

    def _shard(self, number: int) -> Path:
        return self.folder / f"{number:05d}"
