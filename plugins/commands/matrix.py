"""`luthier matrix`: which plugins go together, and why others do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any

import typer

from luthier.core import Plugin, hookimpl

if TYPE_CHECKING:
    from luthier.core.matrix import Matrix, Verdict

MARKS = {"tested": "+", "allowed": "o", "refused": "-"}
COLUMNS = "tuners"
"""The kind whose plugins are the columns of the table, as the paper's Table 1 has methods."""


class Combinations(Plugin):
    """Print which plugins go together; of two, why or why not: `luthier matrix galore lora`."""

    @hookimpl
    def build_command(self) -> Callable[..., None]:
        """Return the command."""
        return command


def command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Two plugins, or a plugin and a precision.")
    ] = None,
    *,
    device: Annotated[
        str | None, typer.Option("--device", help="Judge for this device.", metavar="NAME")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every pair as JSON.")] = False,
) -> None:
    """Print the table, a pair, or all of it as JSON."""
    from luthier.core.device import device_named, probe
    from luthier.core.matrix import Matrix
    from luthier.registry import Catalogue

    records = records_of_runs()
    pairs = {frozenset(pair) for record in records for pair in record["pairs"]}
    here = device_named(device) if device else probe()
    matrix = Matrix(Catalogue.installed(), here, pairs)
    given = names or []
    if len(given) not in {0, 2}:
        raise typer.BadParameter("name two, such as `luthier matrix galore lora`, or none")
    found = [matrix.verdict(*map(matrix.part, given))] if given else list(matrix.verdicts())
    if as_json:
        runs = [{**record, "pairs": len(record["pairs"])} for record in records]
        about = {"device": str(here), "tested": runs}
        told = {**about, "pairs": [one._asdict() for one in found]}
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    elif given:
        typer.echo("\n".join(_sentences(found[0], records)))
    else:
        typer.echo("\n".join(_page(matrix, found, records)))


def records_of_runs() -> list[dict[str, Any]]:
    """Return the records of the pairs that were run: when, with which versions, and which."""
    folder = resources.files("luthier.plugins.commands")
    files = sorted(one.name for one in folder.iterdir() if one.name.startswith("tested_"))
    return [json.loads((folder / name).read_text(encoding="utf-8")) for name in files]


def _sentences(one: Verdict, records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is to be said of one pair."""
    yield f"{one.first} with {one.second}: {one.state}"
    pair = {one.first, one.second}
    runs = [run for run in records if any(pair == set(names) for names in run["pairs"])]
    for run in runs if one.state == "tested" else []:
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        yield f"  Run on {run['date'][:10]} with Python {run['python']}, {versions}."
    if one.reason:
        yield f"  {one.reason}.\n  {one.remedy}"
    if one.beside:
        others = ", ".join(one.beside)
        yield f"  A run of both needs what is no default besides, such as {others}."
    for need in one.needs:
        yield f"  Missing here: {need}."


def _page(
    matrix: Matrix, found: list[Verdict], records: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield the table with the tuners as its columns, then all that does not go together."""
    states = {frozenset((one.first, one.second)): one.state for one in found}
    columns = matrix.axes[COLUMNS]
    width = max(len(part.name) for axis in matrix.axes.values() for part in axis)
    yield f"{'':<{width}}    {'  '.join(part.name for part in columns)}"
    for kind, axis in matrix.axes.items():
        if kind == COLUMNS:
            continue
        yield kind
        for row in axis:
            marks = (states[frozenset((str(row), str(one)))] for one in columns)
            cells = [
                f"{MARKS[mark]:^{len(one.name)}}" for mark, one in zip(marks, columns, strict=True)
            ]
            yield f"  {row.name:<{width}}  {'  '.join(cells)}".rstrip()
    counts = {state: sum(one.state == state for one in found) for state in MARKS}
    days = " and ".join(sorted({record["date"][:10] for record in records}))
    yield (
        f"\nOf {len(found):,} pairs, {counts['tested']} were run ({MARKS['tested']}; on a CPU, "
        f"{days}), {counts['allowed']} are allowed ({MARKS['allowed']}), and "
        f"{counts['refused']} refused ({MARKS['refused']}):"
    )
    yield from _reasons(one for one in found if one.state == "refused")
    yield "\nA pair by its names says what it needs: luthier matrix galore lora"


def _reasons(refused: Iterable[Verdict]) -> Iterator[str]:
    """Yield each reason once, with the pairs that it is for."""
    pairs: dict[tuple[str, str, str], list[str]] = {}
    for one in refused:
        first, second = one.first, one.second
        if one.reason.startswith(second):
            first, second = second, first
        told = one.reason.removeprefix(f"{first} cannot ").partition(": ")[2]
        told = told.replace(f"{second} cannot", "the other cannot")
        pairs.setdefault((first, told, one.remedy), []).append(second)
    merged: dict[tuple[str, str, str], list[str]] = {}
    for (first, told, remedy), others in pairs.items():
        merged.setdefault((_names(others), told, remedy), []).append(first)
    for (others_named, told, remedy), firsts in merged.items():
        yield f"\n  {_names(firsts)}\n    not with {others_named}:\n    {told}. {remedy}"


def _names(names: Iterable[str]) -> str:
    """Return names of one kind or several, each kind told once."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        kind, _, own = name.partition("/")
        kinds.setdefault(kind, []).append(own)
    return "; ".join(f"{kind} {', '.join(own)}" for kind, own in kinds.items())
