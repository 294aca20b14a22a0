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
from luthier.core.run.conclusion import conclude
from luthier.core.run.folder import RunFolder, step_of, write_json_whole
from luthier.core.run.previous import forget
from luthier.core.run.ranks import is_first
from luthier.core.run.reporting import Reporter, quiet_libraries
from luthier.core.runfile import Run
from luthier.core.runfile.templating import OWN
from luthier.core.wiring import first_answer, manager_of

if TYPE_CHECKING:
    import pluggy

    from luthier.core.data.prepared import PreparedData
    from luthier.core.data.shards import Counts
    from luthier.core.hooks import Items
    from luthier.core.model.opening import OpenModel
    from luthier.core.run.job import TrainingJob


def execute(run: Run, folder: RunFolder, reporter: Reporter, *, resuming: bool) -> None:
    """Train a run, from its beginning or from its last whole checkpoint, to its model.

    Args:
        run: the resolved run.
        folder: its run folder; run.yaml is there already.
        reporter: who is told of it.
        resuming: go on from a checkpoint, if there is one.

    Raises:
        BadRunFolder: what is to be gone on with is damaged, or has changed.
        Diverged: the loss, or what is trained, became no finite number.
        LuthierError: the data or the model is not what the file says.
    """
    reporter.say("reading", ", ".join(map(str, run.data)))  # torch alone takes seconds to import
    if is_first():
        folder.remove_leftovers()
    with _logged(folder), quiet_libraries(), reporter.hearing():
        from luthier.core.training.checkpoints import newest_whole
        from luthier.core.training.parameters import require_finite

        checkpoint = newest_whole(folder, reporter) if resuming else None
        job, manifest = _job(run, folder, reporter, resuming=checkpoint is not None)
        if is_first():
            forget(folder)  # the run that this one overwrites
        trainer = first_answer(job.manager, "build_trainer", job=job)
        if checkpoint is not None:
            reporter.say("resuming", f"from {checkpoint.relative_to(folder.path)}")
        began = time.monotonic()
        try:
            with reporter.progress(_total_steps(trainer)):
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
            require_finite(job.opened.trained(), trainer.state.global_step)
        except KeyboardInterrupt:
            _interrupted(trainer, folder, manifest, reporter)
            raise
        except Diverged:
            _write(folder, {**manifest, "status": "diverged"})
            raise
        _finish(trainer, job, manifest, reporter, time.monotonic() - began)


def _job(
    run: Run, folder: RunFolder, reporter: Reporter, *, resuming: bool
) -> tuple[TrainingJob, dict[str, Any]]:
    """Open data and model, in this order: a bad row is told before any weights are loaded."""
    from transformers import set_seed

    from luthier.core.data.preparation import prepare
    from luthier.core.model.opening import locate, model_spec, open_model
    from luthier.core.run.continuation import begun_with, require_same_data
    from luthier.core.run.job import TrainingJob
    from luthier.core.run.manifest import manifest_of

    spec = model_spec(run, training=True)
    manager = manager_of(run.selected)
    located = locate(spec)
    stored = begun_with(run, folder) if resuming else None
    prepared = prepare(run, located, manager, reporter.prepared)
    _tell_of_data(folder, prepared, reporter)
    _tell_of_template(run, prepared.counts, reporter)
    if stored is not None:
        require_same_data(stored, prepared)
    set_seed(run.training.seed)
    opened = open_model(located, training=True)
    opened.value_heads = dict(manager.hook.build_value_heads(opened=opened) or {})
    manifest = manifest_of(run, opened, prepared)
    _tell_of_model(run, opened, manifest["parameters"], reporter)
    manifest |= {"created": stored["created"]} if stored is not None else {}
    _write(folder, manifest)
    rows, of_stage = arranged(run, prepared, manager)
    if of_stage:
        reporter.say("packing", str(rows))
    validation = {k: arranged(run, v, manager)[0] for k, v in prepared.validation.items()}
    job = TrainingJob(run, folder, opened, rows, validation, spec.dtype, manager, reporter)
    _equip(job, reporter)
    return job, manifest


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
    require_rates(job)
    observers = [one for one in hook.build_callback(job=job) if one is not None]
    schedule = [EvaluationSchedule(job.run.evaluation.every)] if job.validation else []
    job.callbacks = (Recorder(job.folder, reporter), *schedule, *observers)


def _tell_of_data(folder: RunFolder, prepared: PreparedData, reporter: Reporter) -> None:
    for note in (*prepared.notes, str(prepared)):
        reporter.say("data", note)
    for name, one in prepared.validation.items():
        reporter.say("validation", str(one) if name == VALIDATION else f"{name}: {one}")
    if prepared.rejected and is_first():
        folder.write_rejected(prepared.rejected)
        reporter.warn(_left_out(len(prepared.rejected), folder))


def arranged(run: Run, prepared: PreparedData, manager: pluggy.PluginManager) -> tuple[Items, bool]:
    """Return what batches are made of, and whether the stage made it of the rows."""
    items: Items | None = manager.hook.arrange_dataset(
        dataset=prepared.dataset, encoding=run.encoding
    )
    return (prepared.dataset, False) if items is None else (items, True)


def _tell_of_model(run: Run, opened: OpenModel, counts: dict[str, Any], reporter: Reporter) -> None:
    family = run.family.name if run.family else "?"
    reporter.say("model", f"{run.model.path} (family {family}), {run.dtype} on {run.device}")
    for one in run.of("quantizers"):
        place = run.tree.at(("quantizer", "name")).place
        reporter.say("quantizer", one.name if place.line else f"{one.name} ({place})")
    if opened.vocabulary.changed:
        reporter.say("vocabulary", str(opened.vocabulary))
    for folder in run.model.adapters:
        goes_on = run.continues_adapter and folder == run.model.adapters[-1]
        reporter.say(
            "adapter", f"{folder}, {'trained on' if goes_on else 'made part of the model'}"
        )
    if opened.layers.resolved:
        reporter.say("targets", str(opened.layers))
    share = counts["trained"] / counts["all"]
    reporter.say("training", f"{counts['trained']:,} of {counts['all']:,} parameters ({share:.2%})")
    listed = [f"{kind} {count:,}" for kind, count in counts["trained_by_type"].items()]
    reporter.say("by type", ", ".join(listed))


def _tell_of_template(run: Run, counts: Counts, reporter: Reporter) -> None:
    """Say which chat template is used and why, and which rows do not suit it."""
    for one in run.of("templates"):
        node = run.tree.at(("template",))
        place = node.at(("name",) if "name" in node.mapping else ("source",)).place
        reporter.say("template", f"{one.name} ({place})" if one.name != OWN else str(place))
    _tell_of_thoughts(run, counts, reporter)


def _tell_of_thoughts(run: Run, counts: Counts, reporter: Reporter) -> None:
    """Warn of rows whose thoughts do not suit the chat template; of a stream when it has ended."""
    for one in run.of("templates"):
        rows = f"{counts.read:,} rows"
        if counts.unprinted:
            reporter.warn(
                f"{counts.unprinted:,} of {rows} hold thoughts, which the chat template "
                f"{one.name!r} leaves out, as its authors' does, so they are not trained. See "
                "`thinking` in docs/templates.md."
            )
        if counts.thoughtless:
            reporter.warn(
                f"{counts.thoughtless:,} of {rows} have no "
                f"thoughts, and the chat template {one.name!r} is one of a model that thinks: it "
                "learns to answer without. If that is meant, see `thinking` in docs/templates.md."
            )


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
    from luthier.core.training.recording import duration, plot_loss, read_metrics

    folder = job.folder
    read = trainer.read()
    if not is_first():
        return
    if read is not None:
        manifest["data"].update(read.facts())
        _tell_of_stream(folder, read, reporter)
        _tell_of_thoughts(job.run, read, reporter)
    plot_loss(folder)
    manifest["memory"]["measured_peak_bytes"] = measured_peak_bytes()
    manifest["status"] = "finished"
    manifest["steps"] = trainer.state.global_step
    manifest["seconds"] = round(seconds, 1)
    write_json_whole(folder.manifest, manifest)
    job.opened.unpatch()
    save_model(job.opened, folder.model)  # last: where there is a model, the run has ended
    rows = [row for row in read_metrics(folder) if VALIDATION not in row]
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


def _tell_of_stream(folder: RunFolder, read: Counts, reporter: Reporter) -> None:
    reporter.say("data", f"{counted(read.read, 'row was', 'rows were')} read: {read}")
    if read.bad + read.too_long:
        reporter.warn(_left_out(read.bad + read.too_long, folder))


def _left_out(rows: int, folder: RunFolder) -> str:
    return f"{counted(rows, 'row was', 'rows were')} left out: {folder.rejected}"


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
