"""What is odd about one row: the order of its roles, empty turns, calls of tools, likenesses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.data.misfits import misfits, misreadings
from luthier.core.data.standard import (
    Conversation,
    Judged,
    Preference,
    StandardRow,
    Text,
    Tokens,
)
from luthier.core.errors import TemplateError
from luthier.core.templates.messages import plain, tools_of

if TYPE_CHECKING:
    import re


class Lint(NamedTuple):
    """A kind of fault."""

    severity: str
    """`error`: training stops at it; `warning`: it is trained, and hardly meant; or `info`."""
    said: str
    """What is said of the rows that have it."""
    remedy: str


class Fault(NamedTuple):
    """That a row has a fault of a kind."""

    lint: str
    said: str
    """What of the row it is."""


LINTS: Mapping[str, Lint] = {
    "bad-row": Lint("error", "cannot be used", "Mend them, or leave them out."),
    "nothing-trained": Lint(
        "error", "have nothing that is trained", "Give them answers, or leave them out."
    ),
    "too-long": Lint(
        "error", "are longer than `encoding.max_length`",
        "Raise `encoding.max_length`, or say what becomes of them: `encoding.overflow`.",
    ),
    "nothing-left": Lint(
        "error", "are all left out, so that nothing is left to train on",
        "Raise `encoding.max_length`, or look at the data.",
    ),
    "supervision-lost": Lint(
        "warning", "lose tokens that would be trained, as they are cut at `encoding.max_length`",
        "Raise `encoding.max_length`, shorten what stands before the answers, or leave them out.",
    ),
    "role-order": Lint(
        "warning", "have their roles out of order",
        "A conversation is a system message or none, then questions and answers by turns, an "
        "answer last; results of tools follow their calls.",
    ),
    "empty-turn": Lint("warning", "have a turn of no text", "Fill it, or leave the turn out."),
    "call-arguments": Lint(
        "warning", "call a tool with arguments that do not fit it",
        "Write the arguments as the tool's `parameters` have them.",
    ),
    "call-not-offered": Lint(
        "warning", "call a tool that they do not offer",
        "Offer the tool among the row's `tools`, or mend its name.",
    ),
    "bad-tools": Lint(
        "warning", "offer tools that cannot be read",
        'Write [{"type": "function", "function": {"name": "...", "parameters": {...}}}, ...].',
    ),
    "result-without-call": Lint(
        "warning", "hold a tool's result that nothing called for",
        "Put the call before it, or leave the result out.",
    ),
    "special-text": Lint(
        "warning", "hold text that looks like a special token of the model",
        "Take it out, unless it is meant: it is mostly left over from a conversation that was "
        "rendered before. `encoding.special_text` says whether it stays text.",
    ),
    "duplicate": Lint(
        "warning", "are the same as an earlier row", "Leave them out; `--fix OUT` does.",
    ),
    "near-duplicate": Lint(
        "warning", "are nearly the same as an earlier row",
        "Look at some; leave out those that teach nothing new.",
    ),
    "leakage": Lint(
        "warning", "of a validation set stand in the training data, too",
        "Leave them out of one of the two: what is measured on them is what was learnt by heart.",
    ),
    "shared": Lint(
        "warning", "stand in another dataset of the run, too",
        "Leave them out of one, or mean them to count twice.",
    ),
    "split": Lint(
        "info", "are split, as they are longer than `encoding.max_length`",
        "Nothing is lost; raise `encoding.max_length` to keep them whole.",
    ),
}  # fmt: skip
"""All kinds of faults, the gravest first."""

ASSISTANT, USER, TOOL = "assistant", "user", "tool"
SYSTEM = frozenset({"system", "developer"})
_FOLLOWS: Mapping[str, frozenset[str]] = {
    "": frozenset({*SYSTEM, USER}),
    "system": frozenset({USER}),
    "developer": frozenset({USER}),
    USER: frozenset({ASSISTANT}),
    ASSISTANT: frozenset({USER, TOOL}),
    TOOL: frozenset({ASSISTANT, TOOL}),
}
"""Which roles may come after which; after none, the first."""


def faults_of(row: StandardRow, likeness: re.Pattern[str]) -> Iterator[Fault]:
    """Yield what is odd about a row.

    Args:
        row: a row as its format made it.
        likeness: what finds special tokens in texts.
    """
    found: dict[str, Fault] = {}
    for chat in chats_of(row):
        for fault in _of_chat(chat, row):
            found.setdefault(fault.lint, fault)  # the first of a kind tells enough
    for text in texts_of(row):
        if like := likeness.search(text):
            found["special-text"] = Fault("special-text", f"{like[0]!r}")
            break
    yield from found.values()


def chats_of(row: StandardRow) -> list[list[Mapping[str, Any]]]:
    """Return the conversations of a row: one, or of a preference one for each answer."""
    if isinstance(row, Text | Tokens):
        return []
    head = [{"role": "system", "content": row.system}] if row.system else []
    prompt = [*head, *row.prompt]
    if isinstance(row, Preference):
        return [[*prompt, answer] for answer in row.response]
    return [[*prompt, *row.response]]


def texts_of(row: StandardRow) -> Iterator[str]:
    """Yield the texts that a row holds, in their order."""
    if isinstance(row, Text):
        yield row.text
    elif isinstance(row, Conversation | Judged):
        yield row.system
        for message in (*row.prompt, *row.response):
            for key in ("reasoning_content", "content"):
                value = message.get(key)
                if isinstance(value, str):
                    yield value
                elif isinstance(value, list):
                    parts = (p.get("text") for p in value if isinstance(p, Mapping))
                    yield from (text for text in parts if isinstance(text, str))
            if calls := message.get("tool_calls"):
                yield calls if isinstance(calls, str) else json.dumps(calls, ensure_ascii=False)


def canonical(row: StandardRow) -> str:
    """Return a text that is the same for rows that are the same."""
    told = [type(row).__name__, *row]
    return json.dumps(told, sort_keys=True, ensure_ascii=False, default=str)


def question_of(row: StandardRow) -> str:
    """Return a text that is the same for rows that ask the same; empty where none is asked."""
    if isinstance(row, Text | Tokens):
        return ""
    return json.dumps([row.system, *row.prompt], sort_keys=True, ensure_ascii=False, default=str)


# --- a conversation -------------------------------------------------------------------------


def _of_chat(chat: Sequence[Mapping[str, Any]], row: StandardRow) -> Iterator[Fault]:
    yield from _of_roles(chat)
    yield from _of_contents(chat)
    try:
        tools = tools_of(getattr(row, "tools", None))
    except TemplateError as fault:
        yield Fault("bad-tools", str(fault))
        tools = None
    known = _by_name(tools or [])
    for name, tool in known.items():
        for said in misreadings(tool.get("parameters")):
            yield Fault("bad-tools", f"{name!r}: {said}")
            known = {**known, name: {}}  # what cannot be read forbids nothing
    yield from _of_calls(chat, known)


def _of_roles(chat: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    before = ""
    for number, message in enumerate(chat, 1):
        role = str(message.get("role"))
        if role not in _FOLLOWS:
            yield Fault("role-order", f"message {number} has the role {role!r}")
        # a result that nothing called for is a fault of its own
        elif role != TOOL and role not in _FOLLOWS.get(before, _FOLLOWS.keys()):
            after = f"comes after {before!r}" if before else "comes first"
            yield Fault("role-order", f"message {number}, {role!r}, {after}")
        before = role
    if before != ASSISTANT:
        yield Fault("role-order", f"the last message is of {before!r}")


def _of_contents(chat: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    for number, message in enumerate(chat, 1):
        content = message.get("content")
        if message.get("role") == TOOL or (
            content.strip() if isinstance(content, str) else content
        ):
            continue
        if not message.get("tool_calls") and not message.get("reasoning_content"):
            yield Fault("empty-turn", f"message {number}, {message.get('role')!r}, is empty")


def _of_calls(
    chat: Sequence[Mapping[str, Any]], tools: Mapping[str, Mapping[str, Any]]
) -> Iterator[Fault]:
    """Yield what is odd about the calls and their results."""
    waiting: list[Any] | None = []  # ids of calls without a result; None where they are not known
    for number, message in enumerate(chat, 1):
        if message.get("role") == TOOL:
            if waiting is not None and not _is_taken(message.get("tool_call_id"), waiting):
                yield Fault("result-without-call", f"message {number} answers no call")
            continue
        waiting = []
        try:
            calls = plain(message).get("tool_calls") or []
        except TemplateError as fault:
            if message.get("tool_calls"):
                yield Fault("call-arguments", f"message {number}: {fault}")
            waiting = None
            continue
        for call in calls:
            waiting.append(call.get("id"))
            for lint, said in _of_call(call["function"], tools):
                yield Fault(lint, f"message {number}: {said}")


def _is_taken(wanted: Any, waiting: list[Any]) -> bool:
    """Return whether a result is of one of the calls, which waits no more then."""
    if not waiting or (wanted and all(waiting) and wanted not in waiting):
        return False
    waiting.remove(wanted if wanted in waiting else waiting[0])
    return True


def _of_call(
    call: Mapping[str, Any], tools: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    name = call["name"]
    if name not in tools:
        there = f"; there are: {', '.join(tools)}" if tools else ", and there is none"
        yield "call-not-offered", f"{name!r} is called{there}"
        return
    for misfit in misfits(call.get("arguments"), tools[name].get("parameters") or {}):
        yield "call-arguments", f"{name!r}: {misfit}"


def _by_name(tools: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    told = (tool.get("function") or tool for tool in tools)
    return {str(one.get("name")): one for one in told if isinstance(one, Mapping)}
