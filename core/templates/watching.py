"""Contents that are watched while a chat template renders them.

A watched content notes what the template asks of it (is it empty, does it hold "</think>") and what
it makes of it (stripped, say), so that the rendering of one conversation can be used for all others
that give the same answers. What cannot be noted raises `Unwatchable`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

BEGIN, END = "\ufdd7", "\ufdd8"
"""What stands around the number of a place in the text of a watched content."""


class Unwatchable(Exception):
    """A template did with a content what cannot be noted."""


class Place(NamedTuple):
    """A content, or what methods of `str` make of one."""

    content: int
    """The number of the content."""
    steps: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    """Methods and their arguments, each called on what the one before gave; an argument may be
    another place."""

    def of(self, contents: Sequence[str]) -> Any:
        """Return what is made of that content among others."""
        made: Any = contents[self.content]
        for method, arguments in self.steps:
            given = [one.of(contents) if type(one) is Place else one for one in arguments]
            made = given[0] + made if method == "__radd__" else getattr(made, method)(*given)
        return made

    def then(self, method: str, *arguments: Any) -> Place:
        """Return what a method makes of it."""
        return Place(self.content, (*self.steps, (method, arguments)))


class Answer(NamedTuple):
    """What a template asked of a content, and was told."""

    asked: Place
    told: bool | int
    """A truth value, or the number of parts that a content was split in."""

    def holds(self, contents: Sequence[str]) -> bool:
        """Return whether other contents give the same answer."""
        made = self.asked.of(contents)
        return bool((made if isinstance(made, bool) else len(made)) == self.told)


class Watch:
    """One rendering: what was asked, and where contents stand in its text."""

    def __init__(self, contents: Sequence[str], moment: datetime) -> None:
        """Watch so many contents, and the moment that the template prints."""
        self.contents = contents
        self.places: list[Place] = []
        self.answers: list[Answer] = []
        self.dates: list[tuple[str, str]] = []
        """Each form of a date that was asked for, and its text."""
        self._moment = moment

    def watched(self, place: Place) -> str:
        """Return what stands for something that is made of a content."""
        self.places.append(place)
        return _Watched.at(self, len(self.places) - 1)

    def note(self, asked: Place, told: int) -> None:
        """Keep an answer."""
        answer = Answer(asked, told)
        if answer not in self.answers:
            self.answers.append(answer)

    def made(self, place: Place) -> Any:
        """Return what a template is given for something made of a content."""
        found = place.of(self.contents)
        if isinstance(found, bool):
            self.note(place, found)
            return found
        if isinstance(found, (list, tuple)):
            self.note(place, len(found))
            return [self.watched(place.then("__getitem__", n)) for n in range(len(found))]
        if not isinstance(found, str):
            raise Unwatchable
        return self.watched(place)

    def strftime(self, form: str) -> str:
        """Return the moment in a form of `strftime`, and note it."""
        text = self._moment.strftime(form)
        self.dates.append((form, text))
        return text


def _noted(method: str) -> Callable[..., Any]:
    """Return what stands for a method of `str`."""

    def call(self: _Watched, *arguments: Any, **named: Any) -> Any:
        given = [one.place if type(one) is _Watched else one for one in arguments]
        if named or not all(map(_is_plain, given)):
            raise Unwatchable
        return self.watch.made(self.place.then(method, *given))

    return call


def _is_plain(argument: Any) -> bool:
    if type(argument) is tuple:
        return all(type(one) is str for one in argument)
    return argument is None or type(argument) in (str, int, slice, Place)


def _unnoted(*_: Any, **__: Any) -> Any:
    raise Unwatchable


_OWN = {
    "__class__", "__new__", "__init__", "__init_subclass__", "__subclasshook__", "__doc__",
    "__getattribute__", "__setattr__", "__delattr__", "__dir__", "__sizeof__", "__getstate__",
}  # fmt: skip
_METHODS = {*dir(str), "__radd__", "__rmod__"} - _OWN
_NEVER = {
    "__str__", "__repr__", "__hash__", "__format__", "__reduce__", "__reduce_ex__",
    "__getnewargs__", "__rmod__", "__iter__", "format", "format_map",
}  # fmt: skip
"""What gives neither a text nor a truth value, or is asked by what would take the text apart."""


class _Watched(str):
    """Stands for something that is made of a content; its own text is the number of its place."""

    __slots__ = ("number", "watch")

    watch: Watch
    number: int

    @classmethod
    def at(cls, watch: Watch, number: int) -> _Watched:
        """Return what stands for a place."""
        made = cls(f"{BEGIN}{number}{END}")
        made.watch, made.number = watch, number
        return made

    @property
    def place(self) -> Place:
        """What it stands for."""
        return self.watch.places[self.number]

    def __bool__(self) -> bool:
        return bool(self.watch.made(self.place.then("__ne__", "")))


for _name in _METHODS:
    setattr(_Watched, _name, _unnoted if _name in _NEVER else _noted(_name))


def sealed(kind: type[str]) -> type[str]:
    """Return a kind of text that can be printed, but holds contents, so cannot be looked into."""
    methods = dict.fromkeys(_METHODS, _unnoted)
    return type(f"Sealed{kind.__name__}", (kind,), {**methods, "__bool__": lambda _: True})


def printed(value: Any) -> str:
    """Return the text that stands for a watched content where it is printed; of others, `str`."""
    if type(value) is not _Watched:
        return str(value)
    return str.__str__(value) if value else ""
