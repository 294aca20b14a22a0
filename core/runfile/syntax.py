"""What the YAML library says of a text that is no YAML, in a user's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ruamel.yaml.reader import ReaderError

from luthier.core.problems import Place, Problem

if TYPE_CHECKING:
    from ruamel.yaml.error import MarkedYAMLError, StringMark


class Wording(NamedTuple):
    """What to say where the library says something."""

    needle: str
    """A part of what the library says."""
    said: str
    remedy: str
    earlier: bool = False
    """Whether the fault is where the library began to read, not where it gave up."""


QUOTE = "Put the text in quotes."
INDENT = "Give the keys of one mapping the same indentation, with spaces."

WORDINGS = (
    Wording("'\\t'", "a tab stands here", "Indent with spaces; YAML allows no tabs there."),
    Wording("character '@'", "no text begins with '@'", QUOTE),
    Wording("character '`'", "no text begins with a backtick", QUOTE),
    Wording("character '%'", "no text begins with '%'", QUOTE),
    Wording(
        "mapping values are not allowed",
        "no ': ' may stand here",
        "A text that holds ': ' wants quotes, and a nested key wants a line of its own.",
    ),
    Wording("expected <block end>", "the indentation fits none of the lines above", INDENT),
    Wording(
        "could not find expected ':'",
        "no ':' follows this key",
        "Write `key: value`.",
        earlier=True,
    ),
    Wording(
        "unexpected end of stream",
        "the quotes that open here are never closed",
        "Close them.",
        earlier=True,
    ),
    Wording(
        "undefined alias",
        "a '*' begins an alias, and there is no such anchor",
        "Put a text that begins with '*' in quotes.",
    ),
    Wording(
        "alphabetic or numeric character",
        "a name has to follow the sign that stands before this",
        "Put a text that begins with '&', '*' or '%' in quotes.",
    ),
    Wording(
        "a comment or a line break",
        "a '|' or '>' begins a text on the lines beneath it",
        "Begin the text on the next line, or put it in quotes.",
    ),
    Wording(
        "expected '<document start>'",
        "another value begins here, and a file holds one",
        "A run file is a mapping of sections. If these are rows, name the file under its `data`.",
    ),
    Wording(
        "found another document",
        "a second document begins here",
        "Keep one of them: a run file is one document.",
    ),
    Wording(
        "expected the node content",
        "a value is missing here",
        "Write a value, or put in quotes a text that begins like this.",
    ),
    Wording(
        "unknown escape character",
        "there is no such escape",
        "Write '\\\\' for a backslash in double quotes, or use single quotes.",
    ),
)

OPENED = {
    "while parsing a flow sequence": ("list", "']'"),
    "while parsing a flow mapping": ("mapping", "'}'"),
}
"""What a bracket opens, and what closes it."""


def syntax_problem(fault: MarkedYAMLError | ReaderError, text: str, origin: str) -> Problem:
    """Return a fault of the YAML library as a problem.

    Args:
        fault: what the library raised.
        text: the text that it read.
        origin: what to call it in messages.
    """
    if isinstance(fault, ReaderError):
        return _unprintable(fault, text, origin)
    context, said = fault.context or "", fault.problem or ""
    if context in OPENED and said.startswith("expected ','"):
        return _unclosed(fault, origin)
    for wording in WORDINGS:
        if wording.needle in said:
            mark = fault.context_mark if wording.earlier else fault.problem_mark
            return _no_yaml(_place(mark, origin), wording.said, wording.remedy)
    place = _place(fault.problem_mark or fault.context_mark, origin)
    remedy = "Check the indentation, quotes and brackets around that line."
    return _no_yaml(place, " ".join(f"{context} {said}".split()), remedy)


def _place(mark: StringMark, origin: str) -> Place:
    return Place(origin, mark.line + 1, mark.column + 1)


def _no_yaml(place: Place, said: str, remedy: str) -> Problem:
    return Problem(place, "", f"this is no YAML: {said}", remedy)


def _unclosed(fault: MarkedYAMLError, origin: str) -> Problem:
    """Tell of a bracket; where another line is hit, it was most likely never closed."""
    what, closing = OPENED[fault.context or ""]
    opening, place = _place(fault.context_mark, origin), _place(fault.problem_mark, origin)
    said = (
        f"the {what} that begins at line {opening.line}, column {opening.column} has "
        f"neither ',' nor {closing} before line {place.line}, column {place.column}"
    )
    at = place if place.line == opening.line else opening
    return _no_yaml(at, said, f"Close it with {closing}, or put a ',' between its items.")


def _unprintable(fault: ReaderError, text: str, origin: str) -> Problem:
    before = text[: fault.position]
    place = Place(origin, before.count("\n") + 1, len(before) - before.rfind("\n"))
    said = f"the character U+{ord(text[fault.position]):04X} is not allowed"
    return _no_yaml(place, said, "Remove it, or write it as an escape in double quotes.")
