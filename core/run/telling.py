"""What a run says of its model once it is open."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.core.problems import cut

if TYPE_CHECKING:
    from luthier.core.model.opening import OpenModel
    from luthier.core.run.reporting import Reporter
    from luthier.core.runfile import Run


def tell_of_model(run: Run, opened: OpenModel, counts: dict[str, Any], reporter: Reporter) -> None:
    """Say which model was opened, what became of it, and what of it is trained."""
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
    if opened.layers.resolved:
        reporter.say("targets", str(opened.layers))
    share = counts["trained"] / counts["all"]
    reporter.say("training", f"{counts['trained']:,} of {counts['all']:,} parameters ({share:.2%})")
    listed = [f"{kind} {count:,}" for kind, count in counts["trained_by_type"].items()]
    reporter.say("by type", ", ".join(listed))
