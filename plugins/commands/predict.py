"""`luthier predict`: have a trained model answer what its run held out, and compare the answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from luthier.core import LuthierError, Plugin, hookimpl
from luthier.core.cli.options import Overrides, RemoteCode, TrustPlugins, console_reporter
from luthier.core.plugin import install_line, missing_packages
from luthier.plugins.callbacks.predict import Predict


class Prediction(Plugin):
    """Have a trained model answer its run's held-out prompts: BLEU-4, ROUGE, accuracy."""

    @hookimpl
    def build_command(self) -> Callable[..., None]:
        """Return the command."""
        return command


def command(
    run_dir: Annotated[Path, typer.Argument(help="The run folder.", metavar="RUN_DIR")],
    overrides: Overrides = None,
    *,
    rows: Annotated[
        int | None, typer.Option("--rows", help="So many of each validation set.", min=1)
    ] = None,
    trust_plugins: TrustPlugins = False,
    _remote_code: RemoteCode = False,
) -> None:
    """Predict.

    Raises:
        LuthierError: what compares answers is not installed.
    """
    if missing := missing_packages(Predict):
        raise LuthierError(
            f"not installed: {', '.join(missing)}. Install what is needed: {install_line(Predict)}"
        )
    from luthier.core.run.conclusion import keep, trained_job
    from luthier.core.run.continuation import stored_manifest
    from luthier.core.run.folder import RunFolder
    from luthier.core.run.program import settled
    from luthier.core.run.reporting import quiet_libraries

    changes, reporter = list(overrides or ()), console_reporter()
    with RunFolder(run_dir.absolute()).locked(), quiet_libraries():
        run = settled(run_dir, changes, trust_plugins=trust_plugins)
        job = trained_job(run, changes, trust_plugins=trust_plugins, reporter=reporter)
        own = [one.plugin for one in run.of("callbacks") if isinstance(one.plugin, Predict)]
        chosen = Predict(rows=rows) if rows or not own else own[0]
        told = chosen.conclude_run(job)
        keep(job.folder, stored_manifest(job.folder), told or {})
