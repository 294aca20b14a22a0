"""Whether the chosen plugins answer every hook that a run has to have an answer to."""

from __future__ import annotations

from collections.abc import Sequence

from luthier.core.hooks import ANSWERED_BY
from luthier.core.runfile.choosing import Chooser
from luthier.core.runfile.nodes import DEFAULT
from luthier.core.wiring import Selected, is_answered, manager_of

MODEL = ("locate_model", "load_tokenizer", "load_model")
TRAINING = (*MODEL, "attach_adapter", "encode_dataset", "build_collator", "build_trainer")
INFERENCE = (*MODEL, "build_engine")
DATASET = ("open_dataset", "align_dataset")


def require_answers(hooks: Sequence[str], scope: Sequence[Selected], chooser: Chooser) -> None:
    """Tell of the hooks that no plugin answers, at the plugin whose business they are.

    Args:
        hooks: first-result hooks that have to be answered.
        scope: the plugins that are asked.
        chooser: what chose them, and is told what is wrong.
    """
    manager = manager_of(scope)
    missing: dict[str, list[str]] = {}
    for hook in hooks:
        if not is_answered(manager, hook):
            missing.setdefault(ANSWERED_BY[hook], []).append(hook)
    for kind, unanswered in missing.items():
        _tell(kind, " and ".join(unanswered), scope, chooser)


def _tell(kind: str, hooks: str, scope: Sequence[Selected], chooser: Chooser) -> None:
    key = str(chooser.kinds[kind].key)
    for one, place, where in chooser.chosen:
        if one.kind == kind and any(one is asked for asked in scope):
            said = f"{one} does not answer {hooks}, nor does another plugin of this run"
            remedy = f"Choose another of the {kind}, or give it the hook (core/hooks.py)."
            chooser.tell(place, where, said, remedy)
            return
    # a family may not be known yet; and of one that is wrong it has been told
    if kind != "families" and not any(p.key.split(".")[0] == key for p in chooser.problems):
        said = f"none of the {kind} is chosen, so nothing answers {hooks}"
        chooser.tell(DEFAULT, key, said, f"Choose one: `{key}: NAME`.")
