"""Merging: a trained adapter becomes part of whole weights, and what comes of it is verified.

An adapter merged into weights that are held in few bits would be rounded with them, and one merged
in half precision loses its small numbers. So it is merged in float32, whatever the run trained
beside, and written in the precision of the model. What was written is read again and compared
with base plus adapter, and both with the base alone.
The weights are the model's own; but an adapter that makes good for what few bits took of them would
do so twice there, and is merged into what these bits stand for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.errors import BadModel, BadRunFolder, LuthierError
from luthier.core.problems import counted
from luthier.core.run.folder import RunFolder, written_whole
from luthier.core.run.program import run_to_serve
from luthier.core.run.reporting import Reporter, quiet_libraries
from luthier.core.run.verification import (
    CEILINGS,
    KERNELS,
    SUMS,
    TEXTS,
    Gap,
    bounded,
    gap_of,
    logits_of,
    prompts_of,
    rounding_of,
)
from luthier.core.runfile import Run, read_tree

if TYPE_CHECKING:
    import torch

    from luthier.core.model.opening import LocatedModel, OpenModel


class Merged(NamedTuple):
    """What a merge came to."""

    folder: Path
    """Where the model is."""
    dtype: str
    """The precision in which it is written."""
    prompts: int
    tokens: int
    """How many of the prompts' tokens were compared."""
    found: Gap
    """How far its answers are from those of base plus adapter."""
    bound: Gap
    """How far they may be."""
    effect: Gap
    """How far those of the base alone are."""

    @property
    def difference(self) -> float:
        """The most that a logit differs from base plus adapter."""
        return self.found.difference


def merge(  # noqa: PLR0913 (options, by name)
    path: str | Path,
    output: Path,
    *,
    base: str | None = None,
    prompts: int = len(TEXTS),
    bound: float | None = None,
    trust_plugins: bool = False,
    reporter: Reporter | None = None,
) -> Merged:
    """Write a model with a trained adapter in its weights, which stock transformers loads.

    Args:
        path: a run folder, or the folder of an adapter.
        output: the new folder of the model.
        base: the whole model to merge into, where the adapter's own base is stored in few bits.
        prompts: how many texts the result is verified with.
        bound: the most that a logit may differ; what rounding does where it is None.
        trust_plugins: let the plugin files that the run's run.yaml names be run.
        reporter: who is told of it.

    Raises:
        BadModel: there is no adapter, the base is in few bits, or the adapter is no change of
            weights.
        BadMerge: what was written answers otherwise than base plus adapter; nothing is kept.
        BadRunFolder: something is in the output folder already.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise BadRunFolder(f"there is something in {output} already. Name a new folder.")
    told = reporter or Reporter()
    run = _run_of(path, base, trust_plugins=trust_plugins)
    with quiet_libraries(), told.hearing():
        _tell_of_few_bits(run, _quantizer_of(path), told)
        return _merge(run, output, prompts, bound, told)


class BadMerge(LuthierError):
    """A merged model answers otherwise than its base with the adapter."""


def _run_of(path: str | Path, base: str | None, *, trust_plugins: bool) -> Run:
    """Return the run by which the adapter is laid on the weights that it belongs to.

    Raises:
        BadModel: there is no adapter, or it was fitted to few bits and is not told to which.
    """
    from luthier.core.model.adapters import fitted_to_quantized

    # the family is found anew: a short name is that of a family, and weights in few bits tell less
    other = [f"model.path={base}", "model.revision=null", "model.family=null"] if base else []
    whole = ["model.dtype=float32", "quantizer=null", *other]
    run = run_to_serve(path, whole, trust_plugins=trust_plugins)
    if not run.model.adapters:
        raise BadModel(f"{path} holds no adapter, so there is nothing to merge.")
    adapter = Path(run.model.adapters[-1])
    if not fitted_to_quantized(adapter):
        return run
    run = run_to_serve(path, other, trust_plugins=trust_plugins)
    if not _is_quantized(run):
        raise BadModel(
            f"the adapter in {adapter} was fitted to weights in few bits, and {path} does not tell "
            "how they were held. Name the folder of the run that trained it."
        )
    return run


def _tell_of_few_bits(run: Run, quantizer: str | None, told: Reporter) -> None:
    from luthier.core.model.adapters import fitted_to_quantized

    fitted = bool(fitted_to_quantized(Path(run.model.adapters[-1])))
    if quantizer is None or (_is_quantized(run) and not fitted):
        return
    into = (
        "what these stand for, to which it was fitted"
        if fitted
        else "the whole ones, with which it answers a little otherwise"
    )
    told.warn(
        f"the adapter was trained beside weights in few bits ({quantizer}); it is merged into "
        f"{into}"
    )


def _require_whole(opened: OpenModel, run: Run, adapter: Path) -> None:
    """Refuse to merge into weights that are held in few bits; some are whole once they are read.

    Raises:
        BadModel: they are.
    """
    from luthier.core.model.adapters import is_quantized

    if is_quantized(opened.model.get_base_model()):
        raise BadModel(
            f"the weights of {run.model.path} are stored in few bits, and the adapter is merged "
            f"into whole ones. Name them: `luthier merge {adapter} NEW_FOLDER --base WHOLE_MODEL`."
        )


def _is_quantized(run: Run) -> bool:
    return any("quantized" in one.traits for one in run.selected)


def _quantizer_of(path: str | Path) -> str | None:
    """Return how the run of a folder held its weights, if not whole."""
    file = RunFolder(Path(path)).run_file
    if not file.is_file():
        return None
    node = read_tree(file).mapping.get("quantizer")
    if node is None or node.value is None:
        return None
    return str(node.at(("name",)).value if isinstance(node.value, dict) else node.value)


def _merge(run: Run, output: Path, prompts: int, bound: float | None, told: Reporter) -> Merged:
    from luthier.core.model.adapters import fitted_to_quantized, merged
    from luthier.core.model.architectures import config_at
    from luthier.core.model.opening import locate, model_spec, open_model
    from luthier.core.model.saving import write_model
    from luthier.core.model.sharing import switched_off

    located = locate(model_spec(run, training=False))
    opened = open_model(located, training=False)
    adapter = Path(run.model.adapters[-1])
    fitted = bool(fitted_to_quantized(adapter))
    if not fitted:
        _require_whole(opened, run, adapter)
    rows = prompts_of(opened, prompts)
    expected = logits_of(opened.model, rows)
    with switched_off(opened.model):
        alone = logits_of(opened.model, rows)
    dtype = _dtype_of(config_at(located.location, run.model.revision))
    told.say("merging", f"{adapter} into {run.model.path}, in float32; to be written in {dtype}")
    if fitted:
        opened = _dequantized(located, adapter)
    opened.model = merged(opened.model, adapter)
    opened.unpatch()
    limit = _limit(bound, rounding_of(opened.model, dtype, rows), dtype, fitted=fitted)
    _cast(opened.model, dtype)
    tokens = sum(map(len, rows))
    with written_whole(output) as beside:
        write_model(opened, beside)
        del opened.model
        found = gap_of(expected, _reloaded(beside, rows))
        result = Merged(output, dtype, prompts, tokens, found, limit, gap_of(expected, alone))
        _judge(result, told)
    told.say("model", f"written to {output}")
    return result


def _limit(bound: float | None, rounding: Gap, dtype: str, *, fitted: bool) -> Gap:
    """Return how far the answers of what is written may be from those of base plus adapter."""
    if bound is not None:
        return bounded(bound)
    if fitted:
        return bounded(KERNELS, rounding)
    return bounded(SUMS, rounding, CEILINGS[dtype])


def _judge(result: Merged, told: Reporter) -> None:
    """Tell what was found; warn where the adapter changes too little for the check to see it.

    Raises:
        BadMerge: it is over the bound.
    """
    found, bound, effect = result.found, result.bound, result.effect
    told.say(
        "verified",
        f"{counted(result.prompts, 'prompt', 'prompts')}, "
        f"{counted(result.tokens, 'token', 'tokens')}: logits differ from base plus adapter by at "
        f"most {found.difference:.2e} (bound {bound.difference:.2g}), KL divergence "
        f"{found.divergence:.2e} nats per token (bound {bound.divergence:.2g})",
    )
    told.say(
        "adapter",
        f"changes logits of its base by at most {effect.difference:.2e}, KL divergence "
        f"{effect.divergence:.2e} nats per token",
    )
    if not found.within(bound):
        raise BadMerge(
            "the merged model answers otherwise than its base with the adapter: logits differ by "
            f"up to {found.difference:.3g} (bound {bound.difference:.3g}), KL divergence "
            f"{found.divergence:.3g} nats per token (bound {bound.divergence:.3g}), and nothing is "
            "kept. Serve the adapter beside its base, or give a wider `--bound`."
        )
    if effect.within(bound):
        told.warn(
            "the adapter changes less than the bound allows, so this check cannot tell a merge "
            f"that holds it from one that lost it, as rounding to {result.dtype} may have done. "
            "Serve it beside its base, or train it for longer."
        )


def _dequantized(located: LocatedModel, adapter: Path) -> OpenModel:
    """Return a model with the weights that its few bits stand for, in float32, and its adapter."""
    import torch

    from luthier.core.model.adapters import with_adapter
    from luthier.core.model.opening import open_model

    # anew: once they have computed on a CPU, bitsandbytes holds weights in another order
    opened = open_model(located, training=False)
    base = opened.model.unload()
    base.dequantize(dtype=torch.float32)
    opened.model = with_adapter(base.to("cpu", torch.float32), adapter, dequantized=True)
    return opened


def _reloaded(folder: Path, rows: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """Return the logits of what was written, computed in float32."""
    from luthier.core.model.opening import locate, model_spec, open_model

    run = run_to_serve(folder, ["model.dtype=float32"], trust_plugins=False)
    return logits_of(
        open_model(locate(model_spec(run, training=False)), training=False).model, rows
    )


def _dtype_of(config: Any) -> str:
    """Return the precision that a model is stored in; float32 where its config does not tell."""
    name = str(config.dtype).removeprefix("torch.")
    return name if name in CEILINGS else "float32"


def _cast(model: Any, dtype: str) -> None:
    """Hold a model's weights in the precision that is written, as its config then says."""
    import torch

    model.to(getattr(torch, dtype))
