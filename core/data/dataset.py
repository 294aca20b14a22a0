"""One dataset of a run: where its rows come from, what shape they have, and its alignment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.errors import BadData
from luthier.core.sections import DatasetSection
from luthier.core.wiring import Selected, first_answer, manager_of

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset as the run file declares it, its two plugins chosen."""

    section: DatasetSection
    base: Path
    """The folder that a relative path is found from: that of the file which names it."""
    source: Selected
    format: Selected

    @property
    def location(self) -> str:
        """The path without its `source:` scheme."""
        scheme, _, rest = self.section.path.partition(":")
        return rest if rest and scheme == self.source.name else self.section.path

    @property
    def local_path(self) -> Path:
        """The location as a path of this machine."""
        return (self.base / Path(self.location).expanduser()).resolve()

    def __str__(self) -> str:
        return self.section.path


class BadRow(BadData):
    """A row that is not of the format which the run file declares."""

    def __init__(self, spec: DatasetSpec, row: int, problem: str, remedy: str) -> None:
        """Word it; `row` counts from 1."""
        super().__init__(f"{spec}, row {row}: {problem}.\n    {remedy}")


def standardized(spec: DatasetSpec) -> Dataset:
    """Return a dataset's rows in the standardized form of the paper's Table 2.

    Raises:
        BadData: the source or a row of it is not what is declared.
        NoAnswer: its source or its format answers no hook.
    """
    manager = manager_of([spec.source, spec.format])
    rows = first_answer(manager, "open_dataset", spec=spec)
    section = spec.section
    if section.samples is not None:
        rows = rows.select(range(min(section.samples, len(rows))))
    if len(rows) == 0:
        raise BadData(f"{spec} has no rows in split {section.split!r}.")
    if section.variables:
        rows = mapped(rows, lambda row: filled(row, section.variables))
    return first_answer(manager, "align_dataset", dataset=rows, spec=spec)


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


def mapped(rows: Dataset, function: Callable[[dict[str, Any]], dict[str, Any]]) -> Dataset:
    """Return `function` of each row, in memory: no cache can hold the rows of another run."""
    return rows.map(function, keep_in_memory=True, load_from_cache_file=False)


MESSAGE = ("role", "content", "reasoning_content", "tool_calls", "name", "tool_call_id")
"""What a standardized message holds, all of it text; what it has not is None."""


class Conversation(NamedTuple):
    """One standardized row."""

    prompt: list[dict[str, str]]
    """Messages, the last of them to be answered. Each has `role` and `content`, and may have
    `reasoning_content`; `tool_calls`, a JSON text of the list of calls in OpenAI's form, as Arrow
    holds no free objects; and `name` and `tool_call_id`, of a tool's result. All are texts."""
    response: list[dict[str, str]]
    """The answer, messages of that form; for preferences the chosen, then the rejected one."""
    system: str = ""
    tools: str = ""
    """A JSON text of the list of function tools, in OpenAI's form, or nothing."""


class BadValue(Exception):
    """A value of a row that its format cannot take; `aligned` adds the file and the row."""

    def __init__(self, problem: str, remedy: str) -> None:
        """Say what is wrong with the value, and what to do."""
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


def aligned(
    rows: Dataset, spec: DatasetSpec, conversation_of: Callable[[dict[str, Any]], Conversation]
) -> Dataset:
    """Return standardized rows, each made from a row as its source gave it.

    Args:
        rows: the source's rows.
        spec: their dataset, for messages.
        conversation_of: what makes one row; raises BadValue for a bad one.

    Raises:
        BadRow: a row is bad; it is named by its number.
    """
    from datasets import Features, Value
    from datasets.features.features import List

    message = {key: Value("string") for key in MESSAGE}
    features = Features(
        prompt=List(message), response=List(message), system=Value("string"), tools=Value("string")
    )

    def align(row: dict[str, Any], index: int) -> dict[str, Any]:
        try:
            return conversation_of(row)._asdict()
        except BadValue as fault:
            raise BadRow(spec, index + 1, fault.problem, fault.remedy) from None
        except Exception as fault:
            fault.add_note(f"in row {index + 1} of {spec}")
            raise

    return rows.map(
        align, with_indices=True, remove_columns=rows.column_names, features=features,
        keep_in_memory=True, load_from_cache_file=False,
    )  # fmt: skip
