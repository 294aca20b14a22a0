"""Rows written anew, as JSON lines in OpenAI's form, without those that are of no use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from luthier.core.data.columns import field_of
from luthier.core.data.standard import (
    Aligned,
    BadValue,
    Judged,
    Preference,
    StandardRow,
    Text,
    Tokens,
    as_written,
)
from luthier.core.errors import LuthierError
from luthier.core.run.folder import PARTIAL
from luthier.core.templates.messages import tools_of


@dataclass(frozen=True)
class Written:
    """A file of sound rows."""

    file: str
    dataset: str
    """What its rows were read from."""
    rows: int


@dataclass
class Cleaned:
    """What was written, and what was left out."""

    files: list[Written] = field(default_factory=list)
    unusable: int = 0
    """Rows left out because they cannot be trained on."""
    repeated: int = 0
    """Rows left out because an earlier one is the same, or one of a validation set."""


def files_of(out: Path, count: int) -> list[Path]:
    """Return a file for each of so many datasets: one itself, several numbered before the end."""
    if count == 1:
        return [out]
    return [out.with_name(f"{out.stem}-{n}{out.suffix}") for n in range(1, count + 1)]


def require_free(out: Path, count: int) -> None:
    """Refuse to write over anything.

    Raises:
        LuthierError: one of the files is there already, or its folder is not.
    """
    if not out.parent.is_dir():
        raise LuthierError(f"there is no folder {out.parent}. Make it, or name another.")
    for file in files_of(out, count):
        if file.exists():
            raise LuthierError(f"{file} is there already. Name another file, or move it away.")


def cleaned(
    datasets: Sequence[Aligned], out: Path, unusable: Sequence[int], repeated: Sequence[int]
) -> Cleaned:
    """Write the rows of datasets, a file for each, and return what was written.

    Args:
        datasets: the rows; they are read once more.
        out: the file of JSON lines.
        unusable: the numbers of rows that cannot be trained on, counted over all from 0.
        repeated: likewise, of those that stand elsewhere, too.
    """
    broken, again = set(unusable), set(repeated)
    done, numbers = Cleaned(), count()
    for aligned, file in zip(datasets, files_of(out, len(datasets)), strict=True):
        beside = file.with_name(f".{file.name}{PARTIAL}")
        written = 0
        # half a character, which no UTF-8 can hold, is written as the escape that JSON has for it
        with beside.open("w", encoding="utf-8", errors="backslashreplace") as lines:
            for row, number in zip(aligned.read(), numbers, strict=False):
                if number in broken or isinstance(row, BadValue):
                    done.unusable += 1
                elif number in again:
                    done.repeated += 1
                else:
                    lines.write(json.dumps(openai_row(row), ensure_ascii=False) + "\n")
                    written += 1
        beside.replace(file)
        done.files.append(Written(str(file), str(aligned.spec), written))
    return done


def openai_row(row: StandardRow) -> dict[str, Any]:
    """Return a row as OpenAI's files have it; what they have no form for, by its plain names."""
    if isinstance(row, Text):
        return {"text": row.text}
    if isinstance(row, Tokens):
        if row.rejected is None:
            return _columns_of(row)
        return {**_columns_of(row, "chosen"), **_columns_of(row.rejected, "rejected")}
    head = [{"role": "system", "content": row.system}] if row.system else []
    prompt = [dict(as_written(one)) for one in (*head, *row.prompt)]
    response = [dict(as_written(one)) for one in row.response]
    tools = tools_of(row.tools)
    offered = {"tools": tools} if tools else {}
    if isinstance(row, Preference):
        chosen, rejected = response
        return {"messages": prompt, "chosen": chosen, "rejected": rejected, **offered}
    judged = {"label": row.desirable} if isinstance(row, Judged) else {}
    return {"messages": [*prompt, *response], **judged, **offered}


def _columns_of(row: Tokens, name: str = "") -> dict[str, Any]:
    """Return a row of ids, or the named part of one, by the columns of a prepared dataset."""
    labels = {} if row.labels is None else {field_of(name, "labels"): list(row.labels)}
    return {field_of(name, "input_ids"): list(row.ids), **labels}
