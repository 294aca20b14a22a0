"""The standardized row, which every format makes (paper, Table 2), and how it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.data.rows import GivenRow, Row, Rows

if TYPE_CHECKING:
    from luthier.core.data.dataset import DatasetSpec

Message = Mapping[str, Any]
"""In OpenAI's form: `role` and `content`; and where it has them `reasoning_content`; `tool_calls`,
a list of calls or its JSON text; `name` and `tool_call_id` of a tool's result; `train`, false for
an answer that the loss is not to count; and `written`, the content with its thoughts in it, where
they stood there."""


def as_written(message: Message) -> Message:
    """Return a message with its thoughts in the content, where they stood there."""
    if "written" not in message:
        return message
    apart = {"reasoning_content", "written"}
    whole = {key: value for key, value in message.items() if key not in apart}
    return {**whole, "content": message["written"]}


class Conversation(NamedTuple):
    """A conversation and its answer."""

    prompt: Sequence[Message]
    """Messages, the last of them to be answered."""
    response: Sequence[Message]
    """The answer."""
    system: str = ""
    tools: Any = ""
    """The function tools, in OpenAI's form, or their JSON text."""


class Preference(Conversation):
    """A conversation with two answers: `response` holds the chosen, then the rejected one."""

    __slots__ = ()


class Judged(NamedTuple):
    """A conversation whose answer was judged."""

    prompt: Sequence[Message]
    response: Sequence[Message]
    system: str = ""
    tools: Any = ""
    desirable: bool = True


class Text(NamedTuple):
    """Plain text, to go on with."""

    text: str


class Tokens(NamedTuple):
    """A row that is encoded already."""

    ids: Sequence[int]
    labels: Sequence[int] | None = None
    """The ids that the loss counts, -100 elsewhere; None where it counts all."""
    rejected: Tokens | None = None
    """Of a preference the other answer, these being the better one, both with their prompt."""


StandardRow = Conversation | Judged | Text | Tokens


class BadValue(Exception):
    """What a row holds that its source, its format or the template cannot take."""

    def __init__(self, problem: str, remedy: str, field: str = "", place: str = "") -> None:
        """Say what is wrong with a row.

        Args:
            problem: what is wrong.
            remedy: what to do.
            field: the column that it stands in.
            place: where it stands, if that is known better than by the number of the row.
        """
        super().__init__(problem, remedy, field, place)
        self.problem, self.remedy, self.field, self.place = problem, remedy, field, place

    def __str__(self) -> str:
        return self.problem


@dataclass(frozen=True)
class Aligned:
    """The rows of a dataset as a format makes them."""

    rows: Rows
    spec: DatasetSpec
    standard_of: Callable[[Row], StandardRow]
    note: str = ""
    """What the format has to say of them, as which one it took them for."""
    begins: int = 0
    """The number of the first of them among the source's rows, which counts from 0."""

    def first(self, count: int) -> Aligned:
        """Return so many rows from the start."""
        return replace(self, rows=self.rows.first(count))

    def after(self, count: int) -> Aligned:
        """Return the rows behind so many from the start; of a bad one the place stays the same."""
        file_of = self.rows.file_of
        rows = Rows(
            lambda start: self.rows.read(start + count),
            f"{self.rows.fingerprint}:{count}:",
            lambda number: self.place(number + count),
            None if file_of is None else lambda number: file_of(number + count),
        )
        return replace(self, rows=rows, begins=self.begins + count)

    def read(self, start: int = 0) -> Iterator[StandardRow | BadValue]:
        """Yield the rows from the one of that number on; a bad one as its fault."""
        return self.made(count(start), self.rows.read(start))

    def made(
        self, numbers: Iterable[int], rows: Iterable[GivenRow]
    ) -> Iterator[StandardRow | BadValue]:
        """Yield what becomes of rows, of a bad one its fault; their numbers count from 0."""
        for number, row in zip(numbers, rows, strict=False):
            try:
                yield row if isinstance(row, BadValue) else self.standard_of(row)
            except BadValue as fault:
                yield fault
            except Exception as fault:
                fault.add_note(f"in row {number + 1} of {self.spec}")
                raise

    def __iter__(self) -> Iterator[StandardRow]:
        for number, row in enumerate(self.read()):
            if isinstance(row, BadValue):
                raise self.fault(number, row)
            yield row

    def fault(self, number: int, fault: BadValue) -> Exception:
        """Return a bad row's fault, with its file and its number, which counts from 0."""
        from luthier.core.data.dataset import BadRow

        return BadRow(fault.place or self.place(number), fault.problem, fault.remedy)

    def told(self, row: int, problem: str) -> dict[str, Any]:
        """Return what rejected.jsonl has of a row: its dataset, its file among several, its number.

        Args:
            row: its number, which counts from 1.
            problem: what is wrong with it.
        """
        if self.rows.file_of is None:
            number, file = self.begins + row, {}
        else:
            name, before = self.rows.file_of(row - 1)
            number, file = before + 1, {"file": name}
        return {"dataset": str(self.spec), **file, "row": number, "problem": problem}

    def place(self, number: int) -> str:
        """Return where a row stands: its file, and its number there; `number` counts from 0."""
        return self.rows.place(number) if self.rows.place else f"{self.spec}, row {number + 1}"


def aligned(
    rows: Rows, spec: DatasetSpec, standard_of: Callable[[dict[str, Any]], StandardRow]
) -> Aligned:
    """Return standardized rows, each made from a row as its source gave it.

    Args:
        rows: the source's rows.
        spec: their dataset, for messages.
        standard_of: what makes one row; raises BadValue for a bad one.
    """
    return Aligned(rows, spec, standard_of)  # type: ignore[arg-type]
