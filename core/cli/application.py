"""The command line. Each command is a plugin; this module finds them and words the errors."""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup
from typer.main import get_command as command_of

from luthier.core.errors import LuthierError, UnknownPlugin
from luthier.core.kinds import kinds_of
from luthier.core.plugin import documentation_of
from luthier.core.run.ranks import is_first, rank
from luthier.core.selection import plugin_of
from luthier.core.wiring import Selected, first_answer, manager_of
from luthier.registry import Catalogue
from luthier.registry.errors import nearest

KIND = "commands"


class Commands(TyperGroup):
    """A group whose commands are read from the catalogue, each when it is needed."""

    catalogue: Catalogue
    """The installed plugins; `application` sets it."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        """Return the names of all commands."""
        return self.catalogue.names(KIND)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # noqa: ARG002
        """Return a command by its name, or by `distribution:name` where two offer one.

        Raises:
            LuthierError: there is none by that name; the message lists those that there are.
        """
        try:
            return _built(cmd_name, self.catalogue)
        except UnknownPlugin as fault:
            names = self.catalogue.names(KIND)
            raise LuthierError(
                f"there is no command {cmd_name!r}. {nearest(cmd_name, names)}"
                f"Commands: {', '.join(names)}; `luthier --help` tells what each does."
            ) from fault
        except LuthierError as fault:
            return _broken(cmd_name, fault)


class Command(TyperCommand):
    """A command whose usage line reads as people write one: `RUN [KEY=VALUE]...`."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        """Return the words of the usage line; a metavar in brackets is taken as it stands."""
        pieces = [self.options_metavar or ""]
        for one in self.params:
            if isinstance(one, TyperArgument):
                word = one.metavar or one.name.upper()
                bare = one.required or word.startswith("[")
                pieces.append(word if bare else f"[{word}]")
        return pieces


def _plugins_by_key(catalogue: Catalogue) -> str:
    """Return what a run file can name, for the end of a help text; no plugin is imported."""
    lines = ["\b", "What a run file can name (luthier plugins tells what each is):"]
    for kind in kinds_of(catalogue).values():
        names = _some_names(kind.name, catalogue)
        if kind.key and names:
            lines += textwrap.wrap(
                f"{kind.key + ':':<10} {names}", 78,
                initial_indent="  ", subsequent_indent=" " * 13, break_on_hyphens=False,
            )  # fmt: skip
    return "\n".join(lines)


MOST_NAMES = 20
"""Plugins of one kind that are named one by one in a help text."""


def _some_names(kind: str, catalogue: Catalogue) -> str:
    """Return a kind's names; of very many, those of other packages and how many there are."""
    names = catalogue.names(kind)
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    own = __name__.partition(".")[0]
    others = [e.name for e in catalogue if e.kind == kind and e.distribution != own]
    counted = f"{len(names) - len(others)} that `luthier plugins {kind}` lists"
    return ", ".join([*sorted(others), counted])


def _built(name: str, catalogue: Catalogue) -> Any:
    entry = catalogue.find(KIND, name)
    value = plugin_of(entry)
    plugin = value() if isinstance(value, type) else value
    function = first_answer(manager_of([Selected(KIND, name, plugin, entry)]), "build_command")
    help_text = documentation_of(type(plugin))
    if isinstance(function, Mapping):
        return _group(name, help_text, function)
    app = _typer()
    settings = {"allow_interspersed_args": True}
    epilog = _plugins_by_key(catalogue) if "run" in inspect.signature(function).parameters else None
    app.command(name=name, cls=Command, help=help_text, epilog=epilog, context_settings=settings)(
        function
    )
    command = command_of(app)
    command.name = name
    return command


def _group(name: str, help_text: str, functions: Mapping[str, Any]) -> Any:
    """Return a command that has commands of its own."""
    app = _typer(help=help_text, no_args_is_help=True)
    # without a callback, a command of one command would be that one, and take its name for a value
    app.callback()(_nothing)
    for own, function in functions.items():
        app.command(name=own, cls=Command)(function)
    group = command_of(app)
    group.name = name
    return group


def _typer(**settings: Any) -> typer.Typer:
    return typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, **settings
    )


def _nothing() -> None:
    """Do nothing before a command of a group."""


def _broken(name: str, fault: LuthierError) -> Any:
    """Return a command that only says why it cannot be run, so that the others still can be."""

    def tell() -> None:
        raise fault

    app = _typer()
    # whatever it is given, what it has to say is why it is broken
    settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    app.command(name=name, help=f"(broken) {fault}", context_settings=settings)(tell)
    return command_of(app)


def application() -> Any:
    """Return the whole command line."""
    installed = Catalogue.installed()

    class Installed(Commands):
        catalogue = installed

    app = _typer(
        cls=Installed,
        help="Fine-tune language models: a small core, and everything else a plugin.",
        epilog=_plugins_by_key(installed),
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def luthier(
        *, version: bool = typer.Option(False, "--version", help="Print the version and leave.")
    ) -> None:
        if version:
            from importlib.metadata import version as version_of

            typer.echo(f"luthier {version_of('luthier')}")
            raise typer.Exit

    return command_of(app)


def main() -> None:
    """Run the command line; a fault that the user can put right is printed, and exits with 2."""
    try:
        application()(prog_name="luthier")
    except LuthierError as fault:
        who = "" if is_first() else f" of process {rank()}"
        typer.echo(f"error{who}: {fault}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # the reader of our output has left, as `| head` does
        sys.stderr.close()
        sys.exit(141)
