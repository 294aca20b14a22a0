"""The Jinja source of a template that is made of slots.

Every literal text of a slot becomes a print of its own between tags that strip white space, so the
text of a slot is what is printed, whatever Jinja's rules for white space around tags.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jinja2 import TemplateSyntaxError, nodes

from luthier.core.templates.marking import environment

if TYPE_CHECKING:
    from luthier.core.templates.template import ChatTemplate, Thinking

SLOTS = (
    "begin", "system", "user", "answer_prefix", "answer", "answer_end", "answer_suffix", "finish",
    "prompt",
)  # fmt: skip
"""The fields of a template that are Jinja texts."""

_TAG = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)


@functools.lru_cache(maxsize=256)
def source_of(template: ChatTemplate) -> str:
    """Return the Jinja chat template that a template's slots make."""
    return "\n".join(_lines(template))


def fault_of(slot: str) -> str | None:
    """Return what is wrong with a slot as Jinja, or None."""
    jinja = environment(marking=True)
    try:
        tree = jinja.parse("\n".join(_slot(slot)))
        jinja.compile(tree, raw=True)
    except TemplateSyntaxError as fault:
        return f"this is no Jinja: {fault.message}"
    # within a condition, Jinja itself looks for them when it gets there
    for kind, known in ((nodes.Filter, jinja.filters), (nodes.Test, jinja.tests)):
        for node in tree.find_all(kind):
            if node.name not in known:
                return f"this is no Jinja: there is no {kind.__name__.lower()} {node.name!r}"
    return None


def _lines(template: ChatTemplate) -> Iterator[str]:
    yield from _slot(template.begin)
    yield from _opening(template)
    if template.thinking is not None:
        yield from _last_question()
    yield "{%- for message in chat -%}"
    yield "{%- set role = message['role'] -%}"
    yield from _content(template, "message['content']")
    if template.alternate:
        yield from _order()
    yield "{%- if role == 'user' -%}"
    yield from _user(template)
    yield "{%- elif role == 'assistant' -%}"
    yield from _answer(template)
    if template.tools is not None:
        yield "{%- elif role == 'tool' -%}"
        yield from _result(template)
    if template.system is not None and not template.alternate:
        yield "{%- elif role == 'system' -%}"
        yield from _slot(template.system)
    elif template.system is None and not template.refuses_system:
        yield "{%- elif role == 'system' -%}"  # left out, as one before the turns is
    yield "{%- else -%}"
    roles = ["user", "assistant", *(["tool"] if template.tools else [])]
    if template.system is not None:
        roles.insert(0, "system (first)" if template.alternate else "system")
    yield from _refusal(f"' is no role that this chat template has; it has: {', '.join(roles)}")
    yield "{%- endif -%}"
    yield "{%- endfor -%}"
    yield "{%- if add_generation_prompt -%}"
    yield from _slot(template.answer_prefix if template.prompt is None else template.prompt)
    if template.finish:
        yield "{%- else -%}"
        yield from _slot(template.finish)
    yield "{%- endif -%}"


def _opening(template: ChatTemplate) -> Iterator[str]:
    """Yield what is printed of the system prompt and the tools, before the first turn."""
    yield "{%- if messages and messages[0]['role'] == 'system' -%}"
    if template.system is None and template.refuses_system:
        yield (
            "{{- raise_exception('this chat template has no system message; "
            "leave it out, or fold it into the first question with the option "
            "`system: prepend`') -}}"
        )
    yield "{%- set chat = messages[1:] -%}"
    yield from _content(template, "messages[0]['content']", role="system")
    yield "{%- else -%}"
    yield "{%- set chat = messages -%}"
    default = template.default_system
    yield "{%- set content = " + ("none" if default is None else _quoted(default)) + " -%}"
    yield "{%- endif -%}"
    if template.tools is not None:
        yield "{%- if tools -%}"
        yield "{%- set content = content or '' -%}"
        yield "{%- set content -%}"
        yield from _slot(template.tools.definitions)
        yield "{%- endset -%}"
        yield "{%- endif -%}"
    # a format without a system message may print it within a question
    yield "{%- set system = content -%}"
    if template.system is not None:
        yield "{%- if content is not none -%}"
        yield from _slot(template.system)
        yield "{%- endif -%}"


def _content(template: ChatTemplate, value: str, role: str | None = None) -> Iterator[str]:
    """Yield what sets `content`, stripped for the roles whose contents are."""
    yield "{%- set content = " + value + " or '' -%}"
    if role is not None:
        if role in template.strip:
            yield "{%- set content = content | trim -%}"
    elif template.strip:
        roles = ", ".join(f"'{one}'" for one in sorted(template.strip))
        yield "{%- if role in [" + roles + "] -%}{%- set content = content | trim -%}{%- endif -%}"


def _order() -> Iterator[str]:
    # calls and their results stand between a question and its answer
    yield "{%- if not tools and (role == 'user') != (loop.index0 % 2 == 0) -%}"
    yield (
        "{{- raise_exception('user and assistant have to alternate, the user first "
        "(a system message may stand before them)') -}}"
    )
    yield "{%- endif -%}"


def _user(template: ChatTemplate) -> Iterator[str]:
    if template.system is None and template.tools is not None and "system" not in template.user:
        # without a system message, the tools are told with the first question
        yield "{%- if tools and loop.first -%}"
        yield "{%- set asked = content -%}"
        yield "{%- set content -%}{{- system -}}{{- '\\n\\n' -}}{{- asked -}}{%- endset -%}"
        yield "{%- endif -%}"
    yield from _slot(template.user)


def _answer(template: ChatTemplate) -> Iterator[str]:
    if template.thinking is not None:
        yield from _thinking(template.thinking)
    yield from _slot(template.answer_prefix)
    yield "{%- generation -%}"
    yield from _slot(template.answer)
    if template.tools is not None and template.tools.calls:
        yield "{%- if message['tool_calls'] -%}"
        yield "{%- set calls = message['tool_calls'] -%}"
        yield from _slot(template.tools.calls)
        yield "{%- endif -%}"
    yield from _slot(template.answer_end)
    yield "{%- endgeneration -%}"
    yield from _slot(template.answer_suffix)


def _last_question() -> Iterator[str]:
    """Yield what sets `last_question` to the index of the last question among the turns."""
    yield "{%- set found = namespace(at=-1) -%}"
    yield "{%- for message in chat -%}"
    yield "{%- if message['role'] == 'user' -%}"
    yield "{%- set found.at = loop.index0 -%}"
    yield "{%- endif -%}"
    yield "{%- endfor -%}"
    yield "{%- set last_question = found.at -%}"


def _thinking(thinking: Thinking) -> Iterator[str]:
    """Yield what sets `thinking` and takes thoughts that are written in the content out of it."""
    opening, close = _quoted(thinking.open), _quoted(thinking.close)
    yield "{%- set thinking = message['reasoning_content'] or '' -%}"
    yield "{%- if not thinking and " + close + " in content -%}"
    yield (
        "{%- set thinking = content.split("
        + close
        + ")[0].rstrip('\\n').split("
        + opening
        + ")[-1]"
        ".lstrip('\\n') -%}"
    )
    yield "{%- set content = content.split(" + close + ")[-1].lstrip('\\n') -%}"
    yield "{%- endif -%}"


def _result(template: ChatTemplate) -> Iterator[str]:
    assert template.tools is not None  # noqa: S101 - the caller asks only with a tool style
    if not template.tools.result:
        yield from _slot(template.user)
        return
    yield "{%- set first = loop.first or loop.previtem['role'] != 'tool' -%}"
    yield "{%- set last = loop.last or loop.nextitem['role'] != 'tool' -%}"
    yield from _slot(template.tools.result)


def _refusal(said: str) -> Iterator[str]:
    yield '{{- raise_exception("\'" ~ role ~ ' + _quoted(said) + ") -}}"


def _slot(text: str) -> Iterator[str]:
    """Yield a slot, its tags stripping white space and its literals as prints."""
    for part in _TAG.split(text):
        if part.startswith(("{{", "{%")):
            inner = part[2:-2].strip("-").strip()
            mark = part[1]
            yield "{" + mark + "- " + inner + " -" + ("}}" if mark == "{" else "%}")
        elif part:
            yield "{{- " + _quoted(part) + " -}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    escaped = escaped.replace("\r", "\\r")  # Jinja makes every kind of line end one kind
    return f"'{escaped}'"
