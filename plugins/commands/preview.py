"""`luthier preview`: the first rows of a run's data, token by token, as training encodes them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from luthier.core import LuthierError, Plugin, hookimpl
from luthier.core.cli.options import Overrides, RemoteCode, TrustPlugins
from luthier.core.cli.waiting import waiting

if TYPE_CHECKING:
    from luthier.core.data.decoding import Stretch
    from luthier.core.data.preview import Preview as Previewed
    from luthier.core.data.preview import ShownDataset, ShownPack, ShownRow


class Preview(Plugin):
    """Show the first rows of a run's data as it is trained on, token by token."""

    @hookimpl
    def build_command(self) -> Callable[..., None]:
        """Return the command."""
        return command


def command(  # noqa: PLR0913 (the command's own options, by name)
    run: Annotated[Path, typer.Argument(help="The run file, or a run folder.", metavar="RUN")],
    overrides: Overrides = None,
    *,
    rows: Annotated[int, typer.Option("--rows", min=0, help="Rows of each dataset.")] = 3,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page to this file instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ids: Annotated[bool, typer.Option("--ids", help="Show the ids of the tokens, too.")] = False,
    trust_plugins: TrustPlugins = False,
    _remote_code: RemoteCode = False,
) -> None:
    """Preview."""
    with waiting("reading the data"):
        from luthier.core.data.page import page_of
        from luthier.core.data.preview import preview

        found = preview(run, overrides or (), rows=rows, trust_plugins=trust_plugins)
    if html is not None:
        _write(html, page_of(found, ids=ids))
    if as_json:
        typer.echo(json.dumps(found.json(), indent=2, ensure_ascii=False))
    elif html is not None:
        typer.echo(f"page       {html}")
    else:
        _tell(found, ids=ids)


def _write(file: Path, text: str) -> None:
    from luthier.core.run.folder import write_text_whole

    try:
        write_text_whole(file, text)
    except OSError as fault:
        raise LuthierError(f"{file} cannot be written: {fault.strerror}") from fault


def _tell(found: Previewed, *, ids: bool) -> None:
    template = f", chat template {found.template}" if found.template else ""
    typer.echo(f"model      {found.model}{template}")
    if sys.stdout.isatty():
        looks = (("special", "magenta"), ("trained", "green"), ("not trained", None))
        legend = [typer.style(word, fg=colour) for word, colour in looks]
        typer.echo(f"colours    {', '.join(legend)}, {_cut_off('cut off')}")
    else:
        typer.echo(f"marks      {_trained('trained')}, not trained, {_cut_off('cut off')}")
    for dataset in found.datasets:
        _tell_dataset(dataset, ids=ids)
    for pack in found.packs:
        _tell_pack(pack, found.encoding["max_length"], ids=ids)


def _tell_dataset(dataset: ShownDataset, *, ids: bool) -> None:
    typer.echo(f"\ndata       {dataset.name}")
    if dataset.note:
        typer.echo(f"           {dataset.note}")
    counts = dataset.totals
    if counts is not None:
        told = [
            f"{counts['rows']:,} of {counts['read']:,} rows", f"{counts['tokens']:,} tokens",
            f"{counts['trained_tokens']:,} trained", f"{counts['too_long']:,} rows too long",
            f"{counts['bad']:,} bad", f"{counts['cut']:,} cut",
        ]  # fmt: skip
        typer.echo(f"totals     {', '.join(told)}")
    if dataset.stops:
        typer.echo(f"{typer.style('stops', fg='red')}      training would stop: {dataset.stops}")
    for row in dataset.rows:
        _tell_row(row, ids=ids)


def _tell_row(row: ShownRow, *, ids: bool) -> None:
    from luthier.core.data.decoding import printable

    fate = typer.style(row.fate, fg="red" if row.problem else None)
    typer.echo(f"\nrow {row.number:<6,} {fate}")
    if row.problem:
        typer.echo(f"           {printable(row.problem)}.\n           {printable(row.remedy)}")
    for sequence in row.sequences:
        name = f"{sequence.name}: " if sequence.name else ""
        typer.echo(f"           {name}{sequence.tokens:,} tokens, {sequence.trained:,} trained")
        typer.echo(_coloured(sequence.stretches, "row {} made of it", ids=ids))


def _tell_pack(pack: ShownPack, room: int, *, ids: bool) -> None:
    sequence = pack.sequence
    of = f"{pack.samples:,} rows, " if pack.samples > 1 else ""
    typer.echo(f"\npack {pack.number:<5,} {of}{sequence.tokens:,} of {room:,} tokens")
    typer.echo(_coloured(sequence.stretches, "sample {}", ids=ids))


def _coloured(stretches: tuple[Stretch, ...], boundary: str, *, ids: bool) -> str:
    from luthier.core.data.decoding import printable

    made, before = [], 0
    for one in stretches:
        if one.part is not None and one.part != before:
            made.append(typer.style(f"\n--- {boundary.format(one.part + 1)} ---\n", dim=True))
            before = one.part
        text = printable(one.text)
        line = text.rstrip("\n") if ids else text
        breaks = text[len(line) :]
        text = line + "⏎" * len(breaks)
        if one.part is None:
            made.append(_cut_off(text))
        elif one.special:
            shown = typer.style(text, fg="magenta", bold=one.trained)
            made.append(_trained(shown) if one.trained else shown)
        else:
            made.append(_trained(typer.style(text, fg="green")) if one.trained else text)
        if ids:
            made.append(typer.style(f"[{' '.join(map(str, one.ids))}]", dim=True) + breaks)
    return "".join(made).replace("⟧⟦", "")  # one pair of marks to what follows each other


def _trained(text: str) -> str:
    """Return a text with marks around it where no colour is seen."""
    return text if sys.stdout.isatty() else f"⟦{text}⟧"


def _cut_off(text: str) -> str:
    shown = typer.style(text, fg="red", dim=True, strikethrough=True)
    return shown if sys.stdout.isatty() else f"~{shown}~"
