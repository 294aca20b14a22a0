"""A preview as one page of HTML: without scripts, and whatever the data holds stays text."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import NamedTuple

from luthier.core.data.decoding import Stretch, printable
from luthier.core.data.preview import Preview, ShownSequence


class _Mark(NamedTuple):
    """A token as the page prints it."""

    text: str
    breaks: str
    """The line ends that it ends with; they come after its ids."""
    ids: str
    looks: str
    """The names of its styles."""
    begins: int
    """The number, from 2, of the row that begins at it; 0 where none does."""


def page_of(preview: Preview, *, ids: bool = False) -> str:
    """Return a preview as a whole HTML document.

    Args:
        preview: what `preview` gave.
        ids: print each token's id beside it; without, it is shown where the pointer rests.
    """
    from jinja2 import Environment, StrictUndefined

    source = files("luthier.core.data").joinpath("page.html").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source).render(preview=preview, marks=_marks, ids=ids)


def _marks(sequence: ShownSequence) -> Iterator[_Mark]:
    before = 0
    for one in sequence.stretches:
        part = before if one.part is None else one.part
        text = visible(one.text)
        line = text.rstrip("\n")
        yield _Mark(
            line, text[len(line) :], " ".join(map(str, one.ids)), _looks(one),
            part + 1 if part != before else 0,
        )  # fmt: skip
        before = part


def _looks(one: Stretch) -> str:
    named = {"s": one.special, "t": one.trained, "c": one.part is None}
    return " ".join(["k", *(name for name, holds in named.items() if holds)])


def visible(text: str) -> str:
    """Return the text of a token with its line ends and tabs to be seen."""
    return printable(text).replace("\n", "⏎\n").replace("\t", "⇥\t")
