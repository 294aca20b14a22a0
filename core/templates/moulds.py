"""Renderings that are used again: of most conversations, only the contents are new.

What a chat template makes of a conversation is a mould: pieces with places for the contents. Which
mould fits is told by the conversation's form (its roles, the options), and by the answers that its
contents give to what the template asked when the mould was made.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.errors import TemplateError
from luthier.core.templates.pieces import Piece
from luthier.core.templates.watching import BEGIN, END, Place, Unwatchable, Watch

if TYPE_CHECKING:
    from luthier.core.templates.template import ChatTemplate

Rendering = Callable[..., list[Piece]]
"""Renders what a template is told: messages and variables."""

_WATCHED = ("content", "reasoning_content")
_PLACES = re.compile(f"{BEGIN}([0-9]+){END}")

MOST_FORMS = 4096
MOST_MOULDS = 16


class OpenPiece(NamedTuple):
    """A piece of ordinary text with places for contents."""

    parts: tuple[str | Place, ...]
    trained: bool

    def filled(self, contents: Sequence[str]) -> Piece:
        """Return the piece with contents in its places."""
        parts = [_filled(p, contents) if type(p) is Place else p for p in self.parts]
        return Piece._make(("".join(parts), False, self.trained))  # type: ignore[arg-type]


def _filled(place: Place, contents: Sequence[str]) -> str:
    return str(place.of(contents)) if place.steps else contents[place.content]


class Mould(NamedTuple):
    """A rendering with places for contents."""

    fits: Callable[[Sequence[str], datetime], bool]
    """Whether it is what the template makes of such contents at such a moment."""
    pieces: tuple[Piece | OpenPiece, ...] | None
    """The pieces; None where each such conversation has to be rendered."""

    def filled(self, contents: Sequence[str]) -> list[Piece]:
        """Return the pieces with contents in their places."""
        pieces = self.pieces or ()
        return [one.filled(contents) if type(one) is OpenPiece else one for one in pieces]  # type: ignore[misc]


@functools.lru_cache(maxsize=256)
def moulds_of(template: ChatTemplate) -> Moulds:  # noqa: ARG001 (what they are kept by)
    """Return the moulds of a template, which begin with none."""
    return Moulds()


class Moulds:
    """The moulds of one chat template."""

    def __init__(self) -> None:
        """Begin with none."""
        self._of: dict[Any, list[Mould]] = {}

    def pieces(
        self, told: Mapping[str, Any], how: tuple[Any, ...], render: Rendering
    ) -> list[Piece]:
        """Return the pieces of a conversation, from a mould where there is one.

        Args:
            told: what the template is told.
            how: what else the rendering depends on.
            render: what renders it; raises TemplateError where the template refuses it.
        """
        found = _form(told, how)
        if found is None:
            return render(told)
        form, contents = found
        moment = told["now"] or datetime.now()  # the local date, as templates print it
        told = {**told, "now": moment}
        moulds = self._of.get(form)
        if moulds is None:
            if len(self._of) >= MOST_FORMS:
                self._of.clear()
            moulds = self._of[form] = []
        for mould in moulds:
            if mould.fits(contents, moment):
                return render(told) if mould.pieces is None else mould.filled(contents)
        pieces = render(told)
        if len(moulds) < MOST_MOULDS:
            made = _mould(told, contents, moment, render)
            if made.pieces is not None and made.filled(contents) != pieces:
                made = Mould(lambda *_: True, None)
            moulds.append(made)
        return pieces


def _form(told: Mapping[str, Any], how: tuple[Any, ...]) -> tuple[Any, list[str]] | None:
    """Return all that a rendering depends on but the contents, and these; None if that is much."""
    if told["tools"]:
        return None
    contents: list[str] = []
    form: list[Any] = []
    for message in told["messages"]:
        for key, value in message.items():
            if type(value) is not str and value is not None:
                return None
            if key in _WATCHED and value is not None:
                contents.append(value)
                form.append(key)
            else:
                form += (key, value)
        form.append(None)
    rest = tuple(one for one in told.items() if one[0] not in ("messages", "tools", "now"))
    key = (tuple(form), rest, how)
    try:
        hash(key)
    except TypeError:  # an option that is a list, say
        return None
    return key, contents


def _mould(
    told: Mapping[str, Any], contents: Sequence[str], moment: datetime, render: Rendering
) -> Mould:
    """Return what a template makes of a conversation with its contents watched."""
    watch = Watch(contents, moment)
    numbers = iter(range(len(contents)))
    messages = [
        {
            key: watch.watched(Place(next(numbers)))
            if key in _WATCHED and value is not None
            else value
            for key, value in message.items()
        }
        for message in told["messages"]
    ]
    try:
        pieces = tuple(
            _opened(piece, watch) for piece in render({**told, "messages": messages, "now": watch})
        )
    except (Unwatchable, TemplateError):
        pieces = None
    answers, dates = tuple(watch.answers), tuple(watch.dates)

    def fits(contents: Sequence[str], moment: datetime) -> bool:
        return all(answer.holds(contents) for answer in answers) and all(
            moment.strftime(form) == text for form, text in dates
        )

    return Mould(fits, pieces)


def _opened(piece: Piece, watch: Watch) -> Piece | OpenPiece:
    parts = _PLACES.split(piece.text)
    if len(parts) == 1:
        return piece
    opened: list[str | Place] = list(parts)
    opened[1::2] = [watch.places[int(number)] for number in parts[1::2]]
    return OpenPiece(tuple(part for part in opened if part != ""), piece.trained)
