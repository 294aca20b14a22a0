"""A training run, from data to model. What is heavy is imported here, when a run begins."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from luthier.core.data.dataset import VALIDATION
from luthier.core.errors import Diverged
from luthier.core.problems import counted
from luthier.core.run.card import card_of
from luthier.core.run.conclusion import conclude
from luthier.core.run.folder import RunFolder, step_of, write_json_whole
from luthier.core.run.previous import forget
from luthier.core.run.ranks import is_first
from luthier.core.run.reporting import Reporter, quiet_libraries
from luthier.core.run.space import require_space
from luthier.core.run.telling import (
    tell_of_best,
    tell_of_changes,
    tell_of_data,
    tell_of_model,
    tell_of_stream,
    tell_of_template,
    tell_of_thoughts,
)
from luthier.core.runfile import Run
from luthier.core.wiring import first_answer, manager_of

if TYPE_CHECKING:
    from pathlib import Path

    import pluggy

    from luthier.core.data.prepared import PreparedData
    from luthier.core.hooks import Items
    from luthier.core.model.opening import LocatedModel
    from luthier.core.run.continuation import Continuation, Difference
    from luthier.core.run.job import TrainingJob


def execute(
    run: Run,
    folder: RunFolder,
    reporter: Reporter,
    *,
    resuming: bool,
    accept_changes: bool = False,
) -> None:
    """Train a run, from its beginning or from its last whole checkpoint, to its model.

    Args:
        run: the resolved run.
        folder: its run folder; run.yaml is there already.
        reporter: who is told of it.
        resuming: go on from a checkpoint, if there is one.
        accept_changes: go on though something has changed since.

    Raises:
        BadRunFolder: what is to be gone on with is damaged, or has changed.
        Diverged: the loss, or what is trained, became no finite number.
        LuthierError: the data or the model is not what the file says.
    """
    reporter.say("reading", ", ".join(map(str, run.data)))  # torch alone takes seconds to import
    if is_first():
        folder.remove_leftovers()
    with _logged(folder), quiet_libraries(), reporter.hearing():
        from luthier.core.run.continuation import Continuation, kept_of
        from luthier.core.training.checkpoints import newest_whole

        checkpoint = newest_whole(folder, reporter) if resuming else None
        begun = Continuation.of(folder, accepts_changes=accept_changes) if checkpoint else None
        job, manifest, changes = _job(run, folder, reporter, begun)
        trainer = first_answer(job.manager, "build_trainer", job=job)
        manifest |= kept_of(begun, job, manifest, changes)
        _write(folder, manifest)  # from here on it can be gone on with
        if is_first():
            forget(folder)  # the run that this one overwrites
        began = time.monotonic()
        _train(trainer, job, manifest, reporter, checkpoint)
        _finish(trainer, job, manifest, reporter, time.monotonic() - began)


def _train(
    trainer: Any,
    job: TrainingJob,
    manifest: dict[str, Any],
    reporter: Reporter,
    checkpoint: Path | None,
) -> None:
    """Take all steps; where that fails, write down how the run stands."""
    from luthier.core.training.parameters import require_finite

    if checkpoint is not None:
        reporter.say("resuming", f"from {checkpoint.relative_to(job.folder.path)}")
    try:
        with reporter.progress(_total_steps(trainer)):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        require_finite(job.opened.trained(), trainer.state.global_step)
    except KeyboardInterrupt:
        _interrupted(trainer, job.folder, manifest, reporter)
        raise
    except Diverged:
        _write(job.folder, {**manifest, "status": "diverged"})
        raise


def _job(
    run: Run, folder: RunFolder, reporter: Reporter, begun: Continuation | None
) -> tuple[TrainingJob, dict[str, Any], list[Difference]]:
    """Open data and model, in this order: a bad row is told before any weights are loaded.

    And before the data is read, what cannot be done to the model's layers is. Returned besides are
    the facts of the run, and what has changed since it began.
    """
    from transformers import set_seed

    from luthier.core.model.opening import locate, model_spec, open_model
    from luthier.core.model.rehearsal import rehearse
    from luthier.core.run.job import TrainingJob
    from luthier.core.run.manifest import manifest_of, model_facts

    changes = begun.before_reading(run) if begun else []
    spec = model_spec(run, training=True)
    manager = manager_of(run.selected)
    located = locate(spec)
    rehearse(located, run.schedule.learning_rates)
    prepared = _read(run, located, manager, folder, reporter)
    changes += begun.after_reading(run, located, prepared) if begun else []
    tell_of_changes(changes, reporter)
    if held := ", ".join(map(repr, located.held_tokens)):
        reporter.warn(f"to be added, but tokens of the model already, as they stay: {held}")
    set_seed(run.training.seed)
    opened = open_model(located, training=True)
    opened.value_heads = dict(manager.hook.build_value_heads(opened=opened) or {})
    manifest = manifest_of(run, opened, prepared)
    tell_of_model(run, opened, manifest["parameters"], reporter)
    rows, of_stage = arranged(run, prepared, manager)
    if of_stage:
        reporter.say("packing", str(rows))
    require_space(run, folder, opened, rows, reporter)
    manifest["model"] = model_facts(run, located, opened)
    validation = {k: arranged(run, v, manager)[0] for k, v in prepared.validation.items()}
    job = TrainingJob(run, folder, opened, rows, validation, spec.dtype, manager, reporter)
    job.origins = prepared.origins
    _equip(job, reporter)
    return job, manifest, changes


def _read(
    run: Run,
    located: LocatedModel,
    manager: pluggy.PluginManager,
    folder: RunFolder,
    reporter: Reporter,
) -> PreparedData:
    """Return the data of a run, of which the reporter is told."""
    from luthier.core.data.preparation import prepare

    prepared = prepare(run, located, manager, reporter.prepared)
    tell_of_data(folder, prepared, reporter)
    tell_of_template(run, prepared.counts, reporter)
    return prepared


def _equip(job: TrainingJob, reporter: Reporter) -> None:
    """Have the run's plugins build what the trainer is built with."""
    from luthier.core.model.attention import backend_of
    from luthier.core.training.groups import require_rates
    from luthier.core.training.recording import EvaluationSchedule, Recorder

    opened, hook = job.opened, job.manager.hook
    job.collator = first_answer(
        job.manager, "build_collator",
        tokenizer=opened.tokenizer, attention=backend_of(opened.model), encoding=job.run.encoding,
    )  # fmt: skip
    job.optimizer = hook.build_optimizer(job=job)
    for subject, text in job.notes.items():
        reporter.say(subject, text)
    require_rates(job)
    observers = [one for one in hook.build_callback(job=job) if one is not None]
    asked = job.run.evaluation
    schedule = [EvaluationSchedule(asked.every, on_start=asked.on_start)] if job.validation else []
    job.callbacks = (Recorder(job.folder, reporter), *schedule, *observers)


def arranged(run: Run, prepared: PreparedData, manager: pluggy.PluginManager) -> tuple[Items, bool]:
    """Return what batches are made of, and whether the stage made it of the rows."""
    items: Items | None = manager.hook.arrange_dataset(
        dataset=prepared.dataset, encoding=run.encoding
    )
    return (prepared.dataset, False) if items is None else (items, True)


def _interrupted(
    trainer: Any, folder: RunFolder, manifest: dict[str, Any], reporter: Reporter
) -> None:
    """Say where the run stands and how it goes on."""
    step = trainer.state.global_step
    manifest["status"] = "interrupted"
    _write(folder, manifest)
    latest = next(reversed(folder.existing_checkpoints()), None)
    again = f"from step {step_of(latest)}" if latest else "from the beginning: no checkpoint yet"
    reporter.say("stopped", f"at step {step}; go on ({again}) with: luthier resume {folder.path}")


def _finish(
    trainer: Any, job: TrainingJob, manifest: dict[str, Any], reporter: Reporter, seconds: float
) -> None:
    from luthier.core.model.saving import save_model
    from luthier.core.run.manifest import measured_peak_bytes
    from luthier.core.training.recording import duration, figures_of, plot_loss, read_metrics

    folder = job.folder
    read = trainer.read()
    if not is_first():
        return
    if read is not None:
        manifest["data"].update(read.facts())
        tell_of_stream(folder, read, reporter)
        tell_of_thoughts(job.run, read, reporter)
    plot_loss(folder)
    rows = read_metrics(folder)
    manifest |= _ended(trainer, seconds, reporter) | {"figures": figures_of(rows)}
    manifest["memory"]["measured_peak_bytes"] = measured_peak_bytes()
    write_json_whole(folder.manifest, manifest)
    job.opened.unpatch()
    # where there is a model, the run has ended
    save_model(job.opened, folder.model, card_of(folder.path.name, manifest))
    manifest["status"] = "finished"
    write_json_whole(folder.manifest, manifest)
    rows = [row for row in rows if VALIDATION not in row]
    loss = f", last loss {rows[-1]['loss']:.4f}" if rows else ""
    reporter.say(
        "finished",
        f"{counted(trainer.state.global_step, 'step', 'steps')} in {duration(seconds)}{loss}",
    )
    if lost := [row for row in rows if not math.isfinite(row["loss"])]:
        reporter.warn(
            f"{len(lost)} of {len(rows)} logged losses are no finite numbers, the first that of "
            f"step {lost[0]['step']}; look at {folder.metrics}"
        )
    reporter.say("model", f"written to {folder.model}")
    conclude(job, manifest)


def _ended(trainer: Any, seconds: float, reporter: Reporter) -> dict[str, Any]:
    """Return what the manifest keeps of how a run ended, and say which step was the best."""
    found = {"steps": trainer.state.global_step, "seconds": round(seconds, 1)}
    if trainer.watch.skipped:
        found["skipped_steps"] = trainer.watch.skipped
    if trainer.best is not None and trainer.best.step is not None:
        found["best"] = {**trainer.best.facts(), "saved": not trainer.best.lost}
        tell_of_best(trainer.best, trainer.state, reporter)
    return found


def _write(folder: RunFolder, manifest: dict[str, Any]) -> None:
    if is_first():
        write_json_whole(folder.manifest, manifest)


def _total_steps(trainer: Any) -> int:
    settings = trainer.args
    if settings.max_steps > 0:
        return int(settings.max_steps)
    batches = len(trainer.get_train_dataloader())
    steps = max(1, -(-batches // settings.gradient_accumulation_steps))
    return -int(-steps * settings.num_train_epochs // 1)


@contextmanager
def _logged(folder: RunFolder) -> Iterator[None]:
    """Write all that is logged, by us and by libraries, to the run's log.txt."""
    if not is_first():
        yield
        return
    root = logging.getLogger()
    level = root.level
    writer = logging.FileHandler(folder.log, encoding="utf-8")
    writer.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(writer)
    root.setLevel(logging.INFO)
    try:
        yield
    except KeyboardInterrupt:
        logging.getLogger("luthier").info("the run was interrupted")
        raise
    except BaseException:
        logging.getLogger("luthier").exception("the run stopped")
        raise
    finally:
        root.setLevel(level)
        root.removeHandler(writer)
        writer.close()
