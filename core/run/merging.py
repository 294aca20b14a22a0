"""Merging: a trained adapter becomes part of whole weights, and what comes of it is verified.

An adapter merged into weights that are held in few bits would be rounded with them, and one merged
in half precision loses its small numbers. So it is merged in float32, whatever the run trained
beside, and written in the precision of the model. What was written is read again and compared.
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
from luthier.core.runfile import Run, read_tree

if TYPE_CHECKING:
    import torch

    from luthier.core.model.opening import LocatedModel, OpenModel

BOUNDS = {"float32": 1e-3, "float16": 0.05, "bfloat16": 0.5}
"""The most that a logit may differ, by the precision that is written: rounding alone does so."""
TEXTS = (
    "What is the capital of France?",
    "Explain in two sentences why the sky is blue.",
    "Schreibe ein kurzes Gedicht über den Herbst.",
    "def fibonacci(n):\n    if n < 2:\n        return n\n",
    "请用一句话介绍北京的历史。",
    "A train leaves at 9:40 and arrives at 13:05. How long does it take?",
    "Liste trois fruits rouges.",
    '{"name": "Ada", "born": 1815, "tags": ["mathematics", "engines"]}',
)
"""What the models are asked to continue; more prompts than these are the same with numbers."""


class Merged(NamedTuple):
    """What a merge came to."""

    folder: Path
    """Where the model is."""
    dtype: str
    """The precision in which it is written."""
    prompts: int
    tokens: int
    """How many of the prompts' tokens were compared."""
    difference: float
    """The most that a logit differs from base plus adapter."""
    divergence: float
    """The mean KL divergence from base plus adapter, in nats per token."""


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
        bound: the most that a logit may differ; that of BOUNDS where it is None.
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

    located = locate(model_spec(run, training=False))
    opened = open_model(located, training=False)
    adapter = Path(run.model.adapters[-1])
    fitted = bool(fitted_to_quantized(adapter))
    if not fitted:
        _require_whole(opened, run, adapter)
    rows = _prompts(opened, prompts)
    expected = _logits(opened.model, rows)
    dtype = _dtype_of(config_at(located.location, run.model.revision))
    told.say("merging", f"{adapter} into {run.model.path}, in float32; to be written in {dtype}")
    if fitted:
        opened = _dequantized(located, adapter)
    opened.model = merged(opened.model, adapter)
    opened.unpatch()
    _cast(opened.model, dtype)
    with written_whole(output) as beside:
        write_model(opened, beside)
        del opened.model
        difference, divergence = _compared(expected, _reloaded(beside, rows))
        tokens = sum(len(row) for row in rows)
        result = Merged(output, dtype, prompts, tokens, difference, divergence)
        # kernels of few bits may compute in half precision, whatever the model does
        limit = BOUNDS["bfloat16" if fitted else dtype] if bound is None else bound
        told.say("verified", f"{_sentence(result)} (bound {limit:g})")
        if not difference <= limit:  # nor where it is no number
            raise BadMerge(
                "the merged model answers otherwise than its base with the adapter: "
                f"{difference:g} is over the bound of {limit:g}, and nothing is kept. Serve the "
                "adapter beside its base, or give a wider `--bound`."
            )
    told.say("model", f"written to {output}")
    return result


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


def _sentence(result: Merged) -> str:
    return (
        f"{counted(result.prompts, 'prompt', 'prompts')}, "
        f"{counted(result.tokens, 'token', 'tokens')}: logits differ from base plus "
        f"adapter by at most {result.difference:.2e}, KL divergence {result.divergence:.2e} nats "
        "per token"
    )


def _prompts(opened: OpenModel, count: int) -> list[list[int]]:
    """Return ids of texts; the tokens that are new to the model stand at the end of the first."""
    texts = [f"{TEXTS[n % len(TEXTS)]}{f' {n}' if n >= len(TEXTS) else ''}" for n in range(count)]
    rows = [opened.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    return [[*rows[0], *opened.vocabulary.ids], *rows[1:]]


def _logits(model: Any, rows: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """Return logits of shape (T, V) of each row, in float32."""
    import torch

    model.eval()
    with torch.inference_mode():
        return [
            model(input_ids=torch.tensor([row], device=model.device)).logits[0].float().cpu()
            for row in rows
        ]


def _reloaded(folder: Path, rows: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """Return the logits of what was written, computed in float32."""
    from luthier.core.model.opening import locate, model_spec, open_model

    run = run_to_serve(folder, ["model.dtype=float32"], trust_plugins=False)
    return _logits(open_model(locate(model_spec(run, training=False)), training=False).model, rows)


def _compared(
    expected: Sequence[torch.Tensor], found: Sequence[torch.Tensor]
) -> tuple[float, float]:
    """Return the largest difference of logits, and the mean KL divergence in nats per token."""
    import torch
    from torch.nn.functional import kl_div

    expected_TV, found_TV = torch.cat(list(expected)), torch.cat(list(found))
    difference = (expected_TV - found_TV).abs().max().item()
    log_p_TV, log_q_TV = expected_TV.log_softmax(-1), found_TV.log_softmax(-1)
    divergence = kl_div(log_q_TV, log_p_TV, reduction="batchmean", log_target=True).item()
    return difference, max(divergence, 0.0)


def _dtype_of(config: Any) -> str:
    """Return the precision that a model is stored in; float32 where its config does not tell."""
    name = str(config.dtype).removeprefix("torch.")
    return name if name in BOUNDS else "float32"


def _cast(model: Any, dtype: str) -> None:
    """Hold a model's weights in the precision that is written, as its config then says."""
    import torch

    model.to(getattr(torch, dtype))
