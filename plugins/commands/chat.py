"""`luthier chat`: talk to a trained model."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from luthier.core import Plugin, hookimpl
from luthier.core.cli.options import RemoteCode, TrustPlugins
from luthier.core.cli.waiting import waiting

if TYPE_CHECKING:
    from luthier.core.chat import Engine

HELP = "Type a message. /new begins a new conversation, /exit (or Ctrl-D) ends."


class Chat(Plugin):
    """Talk to a trained model: a run folder, a model folder, a Hub id, or `tiny`."""

    @hookimpl
    def build_command(self) -> Callable[..., None]:
        """Return the command."""
        return command


def command(
    model: Annotated[str, typer.Argument(help="A run folder or a model.", metavar="MODEL")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="`generation.temperature=0.7` and the like.", metavar="[KEY=VALUE]..."),
    ] = None,
    *,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="Ask this once, print the answer, leave.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", "-s", help="A system prompt.")] = None,
    template: Annotated[
        str | None, typer.Option("--template", help="The chat template, where it is not known.")
    ] = None,
    trust_plugins: TrustPlugins = False,
    _remote_code: RemoteCode = False,
) -> None:
    """Chat."""
    from luthier.core import load

    settings = [*(overrides or ()), *([f"template={template}"] if template else [])]
    with waiting(f"loading {model}"):
        engine = load(model, settings, trust_plugins=trust_plugins)
    opening = [{"role": "system", "content": system}] if system else []
    if message is not None:
        _print_answer(engine, [*opening, {"role": "user", "content": message}])
        return
    if sys.stdin.isatty():
        typer.echo(HELP)
    _converse(engine, opening)


def _converse(engine: Engine, opening: list[dict[str, str]]) -> None:
    history = list(opening)
    while True:
        try:
            text = input("> " if sys.stdin.isatty() else "").strip()
        except EOFError:
            return
        if text == "/exit":
            return
        if text == "/new":
            history = list(opening)
        elif text in {"/help", "/?"}:
            typer.echo(HELP)
        elif text:
            asked = [*history, {"role": "user", "content": text}]
            answer = _print_answer(engine, asked)
            history = [*asked, {"role": "assistant", "content": answer}]


def _print_answer(engine: Engine, messages: list[dict[str, str]]) -> str:
    """Print an answer as it comes and return it; Ctrl-C ends the answer, not the program."""
    parts: list[str] = []
    try:
        for text in engine.stream(messages):
            parts.append(text)
            typer.echo(text, nl=False)
            sys.stdout.flush()
    except KeyboardInterrupt:
        if not sys.stdin.isatty():
            raise
    typer.echo()
    return "".join(parts)
