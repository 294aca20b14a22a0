"""One dataset of a run: where its rows come from, what shape they have, and its alignment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from luthier.core.data.rows import Rows
from luthier.core.data.standard import Aligned
from luthier.core.errors import BadData
from luthier.core.sections import DatasetSection
from luthier.core.wiring import Selected, first_answer, manager_of


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset as the run file declares it, its two plugins chosen."""

    section: DatasetSection
    base: Path
    """The folder that a relative path is found from: that of the file which names it."""
    source: Selected
    format: Selected
    streaming: bool = False
    """Whether rows are read while the model trains, so that a source is to download none before."""

    @property
    def location(self) -> str:
        """The path without its `source:` scheme."""
        scheme, _, rest = self.section.path.partition(":")
        return rest if rest and scheme == self.source.name else self.section.path

    @property
    def local_path(self) -> Path:
        """The location as a path of this machine."""
        return (self.base / Path(self.location).expanduser()).resolve()

    @property
    def is_folder(self) -> bool:
        """Whether the location is a folder of this machine."""
        # a URL may be longer than the name of a file can be
        return not self.source.plugin.schemes and self.local_path.is_dir()

    def __str__(self) -> str:
        return shown(self.section.path)


VALIDATION = "validation"
"""The name of a validation set that the run file gives none."""


@dataclass(frozen=True)
class Validation:
    """What a run is evaluated on: rows held out of its training data, or datasets of their own."""

    share: float | None = None
    """The share of the training rows that is held out."""
    count: int | None = None
    """How many of the training rows are held out."""
    sets: Mapping[str, DatasetSpec] = field(default_factory=dict)
    """Datasets of their own, by name."""

    @property
    def holds_out(self) -> bool:
        """Whether rows of the training data are held out."""
        return self.share is not None or self.count is not None


def shown(path: str) -> str:
    """Return a dataset's path as messages show it: of a URL, without what may be a secret."""
    if "://" not in path:
        return path
    before, _, rest = path.partition("://")
    rest = rest.partition("#")[0].partition("?")[0]
    host, slash, after = rest.partition("/")
    return f"{before}://{host.rpartition('@')[2]}{slash}{after}"


class BadSource(BadData):
    """What a dataset's source cannot take it from, told of a run file before anything is read."""

    def __init__(self, problem: str, remedy: str) -> None:
        """Keep both: a check of the run file tells them apart."""
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}. {remedy}")


class BadRow(BadData):
    """A row that is not of the format which the run file declares."""

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        """Word it; `place` names the file and the row, which counts from 1."""
        super().__init__(f"{place}: {problem}.\n    {remedy}")


def standardized(spec: DatasetSpec) -> Aligned:
    """Return a dataset's rows in the standardized form of the paper's Table 2.

    Raises:
        BadData: the source is not what is declared, or has no rows.
        NoAnswer: its source or its format answers no hook.
    """
    manager = manager_of([spec.source, spec.format])
    rows = Rows.of(first_answer(manager, "open_dataset", spec=spec))
    section = spec.section
    if section.samples is not None:
        rows = rows.first(section.samples)
    if next(iter(rows), None) is None:
        raise BadData(f"{spec} has no rows in split {section.split!r}.")
    if section.variables:
        rows = _filled(rows, section.variables)
    aligned: Aligned = first_answer(manager, "align_dataset", dataset=rows, spec=spec)
    return aligned


def _filled(rows: Rows, variables: dict[str, str]) -> Rows:
    return Rows(
        lambda start: (filled(row, variables) for row in rows.read(start)),
        rows.fingerprint + json.dumps(variables, sort_keys=True),
        rows.place,
    )


def filled(value: Any, variables: dict[str, str]) -> Any:
    """Return `value` with each `{{key}}` of `variables` replaced in every text of it."""
    if isinstance(value, str):
        for key, text in variables.items():
            value = value.replace("{{" + key + "}}", text)
        return value
    if isinstance(value, list):
        return [filled(item, variables) for item in value]
    if isinstance(value, Mapping):
        return {key: filled(item, variables) for key, item in value.items()}
    return value
