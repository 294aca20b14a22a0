"""`luthier template`: what chat templates there are, what they render, and whether it is right."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from luthier.core import LuthierError, Plugin, hookimpl

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from luthier.core.templates import ChatTemplate, Piece
    from luthier.core.templates.checking import Checked

NAMED = "A chat template's name, the path of a .jinja, or a run file."
Name = Annotated[str, typer.Argument(help=NAMED, metavar="NAME")]
MODEL = "a model's folder, a run folder, a Hub id or a built-in name"
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
MOST_SHOWN = 5
"""Differences that are shown in full."""


class Template(Plugin):
    """List, show, render and check chat templates."""

    @hookimpl
    def build_command(self) -> Mapping[str, Callable[..., None]]:
        """Return the subcommands."""
        return {"list": names, "show": show, "render": render, "check": check}


def names(*, as_json: AsJson = False) -> None:
    """List the installed chat templates."""
    from luthier.core.cli.listing import described, rows_of

    rows = rows_of("templates")
    if as_json:
        typer.echo(json.dumps([row._asdict() for row in rows], indent=2, ensure_ascii=False))
    else:
        typer.echo(described(rows))


def show(name: Name) -> None:
    """Show a template's facts and the Jinja that is saved with a model."""
    template = _template_of(name)
    for fact in sorted(template.model_fields_set - {"source"}):
        typer.echo(f"{fact}: {getattr(template, fact)!r}")
    typer.echo(f"\n{template.jinja()}")


def render(
    name: Name,
    messages: Annotated[
        Path, typer.Argument(help="A JSON file: a list of messages.", metavar="MESSAGES.json")
    ],
    options: Annotated[
        list[str] | None,
        typer.Argument(help="The template's options.", metavar="[KEY=VALUE]..."),
    ] = None,
    *,
    tools: Annotated[
        Path | None, typer.Option("--tools", help="A JSON file: a list of function tools.")
    ] = None,
    generation_prompt: Annotated[
        bool, typer.Option("--generation-prompt", help="End where the model has to go on.")
    ] = False,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", help=f"Print its ids, too: {MODEL}.")
    ] = None,
) -> None:
    """Print a conversation as text: special tokens in magenta, what is trained in green."""
    from luthier.core.templates.fitting import fitted

    template = _template_of(name)
    known = _tokenizer(tokenizer) if tokenizer is not None else None
    if known is not None:
        template = fitted(template, known)
    chat = _json(messages)
    offered = _json(tools) if tools else None
    how = {"generation_prompt": generation_prompt, **_options(options or ())}
    found = template.render(chat, offered, training=True, **how)
    typer.echo("".join(map(_coloured, found.pieces)))
    if known is not None:
        encoded = template.encode(chat, known, offered, **how)
        typer.echo(f"\n{sum(encoded.mask)} of {len(encoded.ids)} tokens are trained")
        typer.echo(" ".join(map(str, encoded.ids)))


def check(
    name: Annotated[str | None, typer.Argument(help=NAMED, metavar="[NAME]")] = None,
    *,
    tokenizer: Annotated[
        str | None,
        typer.Option("--tokenizer", help=f"What a template is held against: {MODEL}."),
    ] = None,
    cases: Annotated[
        Path | None, typer.Option("--cases", help="JSON lines of cases with their expected texts.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold templates against expected texts, or one against a tokenizer's own."""
    from luthier.core.templates.agreement import check_tokenizer
    from luthier.core.templates.checking import check_cases

    if cases is not None and name is None and tokenizer is None:
        checked = check_cases(cases)
    elif name is not None and tokenizer is not None and cases is None:
        template, own = _template_and_whose(name)
        checked = check_tokenizer(template, _tokenizer(tokenizer), compare=not own)
    else:
        raise typer.BadParameter("give NAME and --tokenizer FOLDER, or --cases FILE")
    _tell(checked, as_json=as_json)
    if not checked.ok:
        raise typer.Exit(1)


def _template_of(name: str) -> ChatTemplate:
    """Return an installed template, that of a Jinja file, or that of a run file."""
    return _template_and_whose(name)[0]


def _template_and_whose(name: str) -> tuple[ChatTemplate, bool]:
    """Return a template, and whether it is one that the user wrote."""
    from luthier.core.templates import ChatTemplate, JinjaTemplate, load_template

    path = Path(name)
    if path.suffix == ".jinja":
        return JinjaTemplate.of(_text(path)), True
    if path.suffix not in {".yaml", ".yml", ".json"}:
        return load_template(name), False
    from luthier.core import check as resolved
    from luthier.core.runfile.templating import OWN

    found = next(iter(resolved(path).of("templates")), None)
    if found is None or not isinstance(found.plugin, ChatTemplate):
        raise LuthierError(f"{name} comes to no chat template; name one in it: `template: NAME`")
    return found.plugin, found.name == OWN


def _tell(checked: Checked, *, as_json: bool) -> None:
    if as_json:
        told = {
            "passed": checked.passed,
            "failed": [difference._asdict() for difference in checked.failed],
            "noted": [difference._asdict() for difference in checked.noted],
            "refused": [{"case": case, "reason": reason} for case, reason in checked.refused],
        }
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    noted = f", {len(checked.noted)} noted" if checked.noted else ""
    typer.echo(
        f"{checked.passed} passed, {len(checked.failed)} failed, {len(checked.refused)} refused"
        + noted
    )
    for difference in checked.failed[:MOST_SHOWN]:
        typer.echo(str(difference))
    for difference in checked.noted[:MOST_SHOWN]:
        typer.echo(f"noted, and so in the model's own template: {difference}")
    for case, reason in checked.refused[:MOST_SHOWN]:
        typer.echo(f"{case}: refused: {reason}")


def _coloured(piece: Piece) -> str:
    if piece.special:
        return typer.style(piece.text, fg="magenta", bold=piece.trained)
    return typer.style(piece.text, fg="green") if piece.trained else piece.text


def _json(file: Path) -> Any:
    try:
        found = json.loads(_text(file))
    except ValueError as fault:
        raise LuthierError(f"{file} cannot be read as JSON: {fault}") from fault
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise LuthierError(f"{file} holds no list of objects; write [{{...}}, {{...}}]")
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise LuthierError(f"{file} cannot be read: {fault}") from fault


def _tokenizer(path: str) -> PreTrainedTokenizerBase:
    if not (Path(path) / "tokenizer_config.json").is_file():
        from luthier.core.run.program import load_tokenizer

        return load_tokenizer(path)
    from transformers import AutoTokenizer

    found: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    return found


def _options(given: Sequence[str]) -> dict[str, Any]:
    """Return what `KEY=VALUE` says, values as YAML has them."""
    from luthier.core.runfile.parsing import parse_scalar

    pairs = [one.partition("=") for one in given]
    if wrong := [key for key, found, _ in pairs if not found]:
        raise LuthierError(f"{wrong[0]!r} sets no option; write KEY=VALUE")
    return {key: parse_scalar(value) for key, _, value in pairs}
