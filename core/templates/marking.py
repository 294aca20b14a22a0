"""The Jinja of chat templates, rendered so that the text can be cut into pieces afterwards.

The environment is that of transformers: the same white-space rules, the same filters, the
`generation` block. It marks what it prints with three noncharacters of Unicode: what an expression
printed is content, which is ordinary text whatever it looks like; the literal text of the template
is the template's own, and special tokens are found only there.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment

from luthier.core.errors import TemplateError
from luthier.core.templates.watching import BEGIN, printed, sealed

if TYPE_CHECKING:
    from jinja2.parser import Parser

CONTENT, LITERAL = "\ufdd0", "\ufdd1"
"""Where content begins and ends."""
TRAINED, IGNORED = "\ufdd2", "\ufdd3"
"""Where a stretch that the loss counts begins and ends."""
ESCAPE = "\ufdd4"
"""Stands before a letter for one of these five characters in a content."""

MARKS = CONTENT + LITERAL + TRAINED + IGNORED + ESCAPE
_ESCAPES = {ord(mark): ESCAPE + letter for mark, letter in zip(MARKS, "abcde", strict=True)}
_UNESCAPES = {escape: chr(mark) for mark, escape in _ESCAPES.items()}


class Marked(str):
    """Text that holds marks: a special token, or what a macro or a `set` block printed."""

    __slots__ = ()

    def __str__(self) -> str:
        """Return the text itself: Jinja prints `str(value)`, and the type has to outlive that."""
        return self


_Sealed = sealed(Marked)


def _marked(value: Any) -> str:
    """Return what an expression prints, in marks."""
    if type(value) is Marked:
        return value
    if type(value) is _Sealed:
        return Marked(str.__str__(value))
    text = escaped(value if type(value) is str else printed(value))
    return f"{CONTENT}{text}{LITERAL}" if text else ""


def escaped(text: str) -> str:
    """Return a content that holds none of the marks."""
    marked = not text.isascii() and any(mark in text for mark in MARKS)
    return text.translate(_ESCAPES) if marked else text


def unescaped(text: str) -> str:
    """Return a content as it was before it was marked."""
    if ESCAPE in text:
        for escape, mark in _UNESCAPES.items():
            text = text.replace(escape, mark)
    return text


class _Literals(Extension):
    """Takes a printed literal, as in `{{ 'text' }}`, for text of the template."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Yield the tokens, each printed literal as data."""
        held: list[Token] = []
        for token in stream:
            held.append(token)
            types = [one.type for one in held]
            if types == ["variable_begin", "string", "variable_end"]:
                yield Token(held[1].lineno, "data", held[1].value)
                held = []
            elif types != ["variable_begin", "string", "variable_end"][: len(types)]:
                yield from held
                held = []
        yield from held


class _Generation(Extension):
    """The block around what the model is trained to write."""

    tags = {"generation"}  # noqa: RUF012 (jinja2 declares it so)

    def parse(self, parser: Parser) -> nodes.Node:
        """Return the block's nodes, with a mark on each side."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)

        def mark(text: str) -> nodes.Node:
            return nodes.Output([nodes.TemplateData(text)], lineno=line)

        return nodes.Scope([mark(TRAINED), *body, mark(IGNORED)], lineno=line)


class _Environment(ImmutableSandboxedEnvironment):
    """What macros and `set` blocks print is marked already."""

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """Return what a macro or a `set` block printed."""
        text = "".join(parts)
        return _Sealed(text) if BEGIN in text else Marked(text)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item, of a plain mapping without a look at its attributes."""
        if type(obj) is dict and type(argument) is str and argument not in _OF_MAPPINGS:
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=argument)
        return super().getitem(obj, argument)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an attribute, which of a plain mapping is an item unless it has one of its own."""
        if type(obj) is dict and attribute not in _OF_MAPPINGS:
            return self.getitem(obj, attribute)
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Return whether templates may read an attribute; the type and the name alone decide it."""
        key = (type(obj), attr)
        found = _SAFE.get(key)
        if found is None:
            found = _SAFE[key] = super().is_safe_attribute(obj, attr, value)
        return found


_OF_MAPPINGS = frozenset(dir(dict))
_SAFE: dict[tuple[type, str], bool] = {}
"""What the sandbox said before: asking it anew is a fifth of a rendering."""


def _json(
    value: Any,
    ensure_ascii: bool = False,  # noqa: FBT001, FBT002 (the filter's own signature)
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,  # noqa: FBT001, FBT002
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _refuse(message: str) -> None:
    raise TemplateError(str(message).replace(CONTENT, "").replace(LITERAL, ""))


@functools.cache
def environment(*, marking: bool) -> jinja2.Environment:
    """Return what chat templates are rendered in, contents in marks if so asked."""
    made = _Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_marked if marking else None,
        extensions=[*([_Literals] if marking else []), _Generation, jinja2.ext.loopcontrols],
    )
    made.filters["tojson"] = _json
    made.globals["raise_exception"] = _refuse
    return made


# what a template does that fails: it is data, so none of these is a fault of ours
_FAULTS = (
    TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError,
)  # fmt: skip


@functools.lru_cache(maxsize=256)
def compiled(source: str, *, marking: bool = True) -> Callable[..., list[str]]:
    """Return a function that renders a Jinja chat template as stretches of marked text.

    A stretch is a content in its marks, or what the template itself prints: its literals, and what
    its macros and `set` blocks made of either.

    Args:
        source: the Jinja.
        marking: whether contents are marked; the loss is, in either case.

    Raises:
        TemplateError: the source is no Jinja; of the function: the template refuses, or fails.
    """
    try:
        template = environment(marking=marking).from_string(source)
    except jinja2.TemplateSyntaxError as fault:
        raise TemplateError(f"line {fault.lineno} of the template: {fault.message}") from None

    def render(*, now: datetime | None = None, **variables: Any) -> list[str]:
        moment = now or datetime.now()  # a template prints the local date
        context = template.new_context({"strftime_now": moment.strftime, **variables})
        try:
            return list(template.root_render_func(context))
        except (jinja2.TemplateError, *_FAULTS) as fault:
            raise TemplateError(f"the template cannot render this: {fault}") from None

    return render
