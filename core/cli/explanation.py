"""Which hooks a run calls, in order, and who answers each."""

from __future__ import annotations

from luthier.core.data.dataset import DatasetSpec
from luthier.core.runfile import Run
from luthier.core.wiring import Selected, manager_of, steps

CHECK = ("check_dataset",)
CHECK_MODEL = ("check_model",)
DATA = ("open_dataset", "align_dataset")
ENCODE = ("encode_dataset",)
LOCATE = ("locate_model", "load_tokenizer")
REHEARSE = ("outline_model", "check_layers")
MODEL = ("plan_load", "wrap_attention", "load_model", "patch_model", "attach_adapter")
TRAINING = (
    "arrange_dataset",
    "build_collator",
    "build_optimizer",
    "build_callback",
    "build_trainer",
)


def hooks_in_order(run: Run) -> list[tuple[str, list[str]]]:
    """Return each hook of a training run with the plugins that answer it, as they are asked."""
    chosen = list(run.selected)
    found = [one for spec in run.datasets for one in _for(spec, CHECK, [spec.source, spec.format])]
    found += _answers((*CHECK_MODEL, *LOCATE, *REHEARSE), chosen)
    for spec in run.datasets:
        found += _for(spec, DATA, [spec.source, spec.format]) + _for(spec, ENCODE, chosen)
    for hook, owners in _answers(MODEL, chosen):
        if hook == "patch_model":
            found.append(("patch_model(built)", owners))
        elif hook == "attach_adapter":
            found.append((hook, owners))
            patching = dict(found).get("patch_model(built)")
            found += [("patch_model(adapted)", patching)] if patching else []
        else:
            found.append((hook, owners))
    return found + _answers(TRAINING, chosen)


def _for(
    spec: DatasetSpec, hooks: tuple[str, ...], chosen: list[Selected]
) -> list[tuple[str, list[str]]]:
    return [
        (hook, [f"{owner} for {spec}" for owner in owners])
        for hook, owners in _answers(hooks, chosen)
    ]


def _answers(hooks: tuple[str, ...], chosen: list[Selected]) -> list[tuple[str, list[str]]]:
    manager = manager_of(chosen)
    found = []
    for hook in hooks:
        owners = [step.owner for step in steps(manager, hook)]
        if owners:
            found.append((hook, owners))
    return found
