"""`luthier data check`: what is wrong with the data of a run, and what the data is like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from luthier.core.cli.options import Overrides, TrustPlugins
from luthier.core.cli.waiting import waiting
from luthier.core.problems import counted

if TYPE_CHECKING:
    from luthier.core.data.linting import Facts, Remark, Report

COLOURS = {"error": "red", "warning": "yellow", "info": "blue"}
MOST_LANGUAGES = 6
"""Languages that are told one by one."""


def check(
    run: Annotated[Path, typer.Argument(help="The run file, or a run folder.", metavar="RUN")],
    overrides: Overrides = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    fix: Annotated[
        Path | None,
        typer.Option(
            "--fix",
            help="Write the rows here, as JSON lines, without repeated and unusable ones.",
            metavar="OUT",
        ),
    ] = None,
    trust_plugins: TrustPlugins = False,
) -> None:
    """Look for faults in the data of a run; exit with 1 for warnings, 2 for errors."""
    with waiting("reading the data"):
        from luthier.core.data.linting import lint

        report = lint(run, overrides or (), fix=fix, trust_plugins=trust_plugins)
    if as_json:
        typer.echo(json.dumps(report.json(), indent=2, ensure_ascii=False))
    else:
        _tell(report)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def _tell(report: Report) -> None:
    for facts in report.facts:
        _tell_facts(facts, report.max_length)
    for remark in report.remarks:
        _tell_remark(remark)
    if not report.remarks:
        typer.echo("Nothing odd was found.")
    if report.cleaned is not None:
        for one in report.cleaned.files:
            typer.echo(
                f"written    {counted(one.rows, 'row', 'rows')} of {one.dataset} to {one.file}"
            )
        left = f"{report.cleaned.unusable:,} unusable rows, {report.cleaned.repeated:,} repeated"
        typer.echo(f"left out   {left}")


def _tell_facts(facts: Facts, max_length: int) -> None:
    typer.echo(f"data       {facts.dataset}")
    told = f"{facts.rows:,}, {facts.tokens:,} tokens, {facts.trained_tokens:,} of them trained"
    lost = f" ({facts.lost_tokens:,} of these cut off)" if facts.lost_tokens else ""
    typer.echo(f"rows       {told}{lost}")
    languages = facts.languages.most_common()
    shares = [f"{name} {count / facts.rows:.0%}" for name, count in languages[:MOST_LANGUAGES]]
    more = [f"{len(languages) - MOST_LANGUAGES} more"] if languages[MOST_LANGUAGES:] else []
    if shares:
        typer.echo(f"languages  {', '.join([*shares, *more])}, by rule of thumb")
    if facts.lengths.counts:
        half, most, longest = map(facts.lengths.quantile, (0.5, 0.95, 1))
        said = f"half up to {half:,} tokens, 95% up to {most:,}, the longest {longest:,}"
        typer.echo(f"lengths    {said}; max_length {max_length:,}")
        for bar in facts.lengths.bars():
            typer.echo(f"           {bar}")
    typer.echo("")


def _tell_remark(remark: Remark) -> None:
    from luthier.core.data.decoding import printable

    severity = typer.style(f"{remark.severity:<10}", fg=COLOURS[remark.severity])
    counted = f"{remark.count:,} of {remark.rows:,} rows of {remark.dataset}"
    typer.echo(f"{severity} {remark.lint}: {counted} {remark.said}")
    before = remark.remedy
    for example in remark.examples:
        typer.echo(printable(f"           {example.place}: {example.said}"))
        if example.remedy and example.remedy != before:
            typer.echo(printable(f"               {example.remedy}"))
            before = example.remedy
    if more := remark.count - len(remark.examples):
        typer.echo(f"           and {more:,} more")
    typer.echo(f"           {remark.remedy}\n")
