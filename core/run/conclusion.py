"""What plugins do with a trained model: when its run ends, or with its run folder alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadData
from luthier.core.run.card import CARD, CONCLUDED, card_of, is_card_of
from luthier.core.run.folder import RunFolder, write_json_whole, write_text_whole
from luthier.core.run.reporting import Reporter
from luthier.core.wiring import manager_of

if TYPE_CHECKING:
    from luthier.core.run.job import TrainingJob
    from luthier.core.runfile import Run


def conclude(job: TrainingJob, manifest: dict[str, Any]) -> None:
    """Have the run's plugins do what they do with its trained model, and keep what they tell.

    Raises:
        LuthierError: it cannot be done; the model is saved all the same.
    """
    for told in job.manager.hook.conclude_run(job=job):
        keep(job.folder, manifest, told or {})


def keep(folder: RunFolder, manifest: dict[str, Any], told: Mapping[str, Any]) -> None:
    """Add what a plugin tells of a trained model to its manifest and, unless changed, to its card.

    Args:
        folder: the run's.
        manifest: the facts of the run, which are changed.
        told: what is added; numbers of it are figures of the card.
    """
    card = folder.model / CARD
    is_own = card.is_file() and is_card_of(card.read_text(encoding="utf-8"), manifest)
    manifest[CONCLUDED] = sorted({*manifest.get(CONCLUDED, ()), *told})
    manifest |= told
    write_json_whole(folder.manifest, manifest)
    if is_own:
        write_text_whole(card, card_of(folder.path.name, manifest))


def trained_job(
    run: Run, overrides: Sequence[str], *, trust_plugins: bool, reporter: Reporter
) -> TrainingJob:
    """Return the job of a run that has ended: its model as a chat has it, its rows held out.

    Args:
        run: what `settled` gave of the run folder and the same overrides.
        overrides: `key.path=value`, as on the command line.
        trust_plugins: let the plugin files that its run.yaml names be run.
        reporter: who is told of it.

    Raises:
        BadRunFolder: the run has not ended; or its rows are others than it was trained on, and no
            override says so.
        BadData: no rows are held out.
    """
    from luthier.core.data.preparation import prepare
    from luthier.core.run.continuation import require_same_data
    from luthier.core.run.execution import arranged
    from luthier.core.run.job import TrainingJob
    from luthier.core.run.program import opened_to_serve, run_to_serve

    if not (run.validation.holds_out or run.validation.sets):
        raise BadData(f"the run in {run.output} holds out no rows. Name some: `validation=FILE`.")
    serving = run_to_serve(run.output, overrides, trust_plugins=trust_plugins)
    reporter.say("model", str(RunFolder(run.output).model))
    located, opened = opened_to_serve(serving)
    manager = manager_of(run.selected)
    prepared = prepare(run, located, manager, reporter.prepared)
    folder = RunFolder(Path(run.output))
    if not overrides:
        require_same_data(folder, prepared)
    validation = {k: arranged(run, v, manager)[0] for k, v in prepared.validation.items()}
    # in one precision throughout, as a trained model is opened
    pure = run.training.model_copy(update={"precision": "pure"})
    run = replace(run, training=pure)
    return TrainingJob(run, folder, opened, (), validation, serving.dtype, manager, reporter)
