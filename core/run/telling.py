"""What a run says of its data, its model and its template."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.core.data.dataset import VALIDATION
from luthier.core.problems import counted, cut
from luthier.core.run.folder import RunFolder
from luthier.core.run.ranks import is_first
from luthier.core.run.reporting import Reporter
from luthier.core.runfile import Run
from luthier.core.runfile.templating import OWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from luthier.core.data.prepared import PreparedData
    from luthier.core.data.shards import Counts
    from luthier.core.model.opening import OpenModel
    from luthier.core.run.continuation import Difference
    from luthier.core.training.best import Best


def tell_of_data(folder: RunFolder, prepared: PreparedData, reporter: Reporter) -> None:
    """Say what the data is, and write down which rows were left out."""
    for note in (*prepared.notes, str(prepared)):
        reporter.say("data", note)
    for name, one in prepared.validation.items():
        reporter.say("validation", str(one) if name == VALIDATION else f"{name}: {one}")
    if prepared.rejected and is_first():
        folder.write_rejected(prepared.rejected)
        reporter.warn(_left_out(len(prepared.rejected), folder))


def _tell_of_options(run: Run, reporter: Reporter) -> None:
    """Warn of a tuner's options that do not act: the adapter that it goes on with has its own.

    A run file that is written down names those that are as by default, too; they are not told of.
    """
    for one in run.of("tuners"):
        if "continues-adapter" in one.traits:
            fields = type(one.plugin).model_fields
            given = [
                f"`{name}`"
                for name, field in fields.items()
                if getattr(one.plugin, name) != field.get_default(call_default_factory=True)
            ]
            if given:
                do = "does" if len(given) == 1 else "do"
                reporter.warn(
                    f"{', '.join(given)} of {one} {do} not act: the adapter that is trained on has "
                    "its own. For these, lay a new one on it: `model.continue_adapter: false`"
                )


def tell_of_model(run: Run, opened: OpenModel, counts: dict[str, Any], reporter: Reporter) -> None:
    """Say which model it is, what is done to it, and what of it is trained."""
    family = run.family.name if run.family else "?"
    reporter.say("model", f"{run.model.path} (family {family}), {run.dtype} on {run.device}")
    for one in run.of("quantizers"):
        place = run.tree.at(("quantizer", "name")).place
        reporter.say("quantizer", one.name if place.line else f"{one.name} ({place})")
    for field, value in opened.config_changes.items():
        parts = value if isinstance(value, Mapping) else {"now": value}
        shown = (f"{key} {cut(json.dumps(one))}" for key, one in parts.items())
        reporter.say("config", f"{field}: {', '.join(shown)}")
    if opened.vocabulary.changed:
        reporter.say("vocabulary", str(opened.vocabulary))
    for folder in run.model.adapters:
        goes_on = run.continues_adapter and folder == run.model.adapters[-1]
        reporter.say(
            "adapter", f"{folder}, {'trained on' if goes_on else 'made part of the model'}"
        )
    if run.continues_adapter:
        _tell_of_options(run, reporter)
    if opened.layers.resolved:
        reporter.say("targets", str(opened.layers))
    share = counts["trained"] / counts["all"]
    reporter.say("training", f"{counts['trained']:,} of {counts['all']:,} parameters ({share:.2%})")
    listed = [f"{kind} {count:,}" for kind, count in counts["trained_by_type"].items()]
    reporter.say("by type", ", ".join(listed))


def tell_of_template(run: Run, counts: Counts, reporter: Reporter) -> None:
    """Say which chat template is used and why, and which rows do not suit it."""
    for one in run.of("templates"):
        node = run.tree.at(("template",))
        place = node.at(("name",) if "name" in node.mapping else ("source",)).place
        reporter.say("template", f"{one.name} ({place})" if one.name != OWN else str(place))
    tell_of_thoughts(run, counts, reporter)


def tell_of_thoughts(run: Run, counts: Counts, reporter: Reporter) -> None:
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


def tell_of_stream(folder: RunFolder, read: Counts, reporter: Reporter) -> None:
    """Say what became of the rows of a stream that has ended."""
    reporter.say("data", f"{counted(read.read, 'row was', 'rows were')} read: {read}")
    if read.bad + read.too_long:
        reporter.warn(_left_out(read.bad + read.too_long, folder))


def tell_of_changes(changes: Sequence[Difference], reporter: Reporter) -> None:
    """Warn of what has changed since the run began, where it goes on all the same."""
    for one in changes:
        reporter.warn(f"changed since the run began: {one}")


def tell_of_best(best: Best, state: Any, reporter: Reporter) -> None:
    """Say which step was the best, and whether the run ended for it."""
    of = f" of {state.max_steps}" if state.max_steps != state.global_step else ""
    if best.ended and state.global_step < state.max_steps:
        waited = counted(best.waited, "evaluation", "evaluations")
        reporter.say("stopped", f"early, at step {state.global_step}{of}: none better in {waited}")
    if best.lost:
        reporter.warn(
            f"the checkpoint of the best step, {best.step}, is gone, so the weights that are saved "
            "are those of the last step"
        )
    else:
        reporter.say("best", f"{best}; its weights are saved")


def _left_out(rows: int, folder: RunFolder) -> str:
    return f"{counted(rows, 'row was', 'rows were')} left out: {folder.rejected}"
