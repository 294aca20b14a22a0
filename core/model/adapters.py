"""Adapters on a model: laid on it from a folder that PEFT wrote, and merged into its weights."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from luthier.core.errors import BadModel

TOLD_TO_OTHERS = (
    "fan_in_fan_out is set to",  # it sees for each layer whether it is a Conv1D
    "Using Rank-Stabilized LoRA with rank_pattern",  # of a conversion that is not asked of it
    "lora with eva initialization used with low_cpu_mem_usage=False",
    "Failed to load the CUDA extension",  # it is looked at what came of it
    "Setting boft_n_butterfly_factor to 1",
    "`loftq_config` specified but will be ignored",  # it is asked of the file
    # it looks for modules alone, and not for the parameters that it adapts by these, too
    "The following .*_pattern keys did not match",
    "Model (has|with) `tie_word_embeddings=True`",  # `merged` parts what is tied
    "Input and output embeddings are no longer tied",
    ".*LoRA tensor.*have invalid shape",  # a tuner that gives out ranks may leave a layer none
)
"""The beginnings of PEFT's warnings about what a run file has no say in."""


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Hold back what PEFT warns of that nobody can do anything about."""
    with warnings.catch_warnings():
        for text in TOLD_TO_OTHERS:
            warnings.filterwarnings("ignore", message=text)
        yield


ADAPTER_CONFIG = "adapter_config.json"
ANOTHER_ADAPTER = "Name a folder that PEFT saved an adapter to."


FITTED = "loftq_config"
"""The key of PEFT's adapter_config.json that tells of an adapter that was fitted to what few bits
took of its weights. PEFT writes it, and drops it when it reads."""


def adapter_config_of(folder: Path) -> dict[str, Any]:
    """Return an adapter's config as PEFT wrote it; empty where there is none that can be read."""
    file = folder / ADAPTER_CONFIG
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # told where PEFT reads it
    return found if isinstance(found, dict) else {}


def is_prompt(config: Mapping[str, Any]) -> bool:
    """Return whether an adapter of this config is vectors beside tokens, and no change of weights.

    PEFT's configs of such, and no others, tell how many vectors there are.
    """
    return "num_virtual_tokens" in config


def fitted_to_quantized(folder: Path) -> dict[str, Any]:
    """Return how few bits an adapter makes good for, as PEFT tells it; empty where for none."""
    found: dict[str, Any] | None = adapter_config_of(folder).get(FITTED)
    return found or {}


def with_adapter(
    model: Any, folder: Path, *, trained: bool = False, dequantized: bool = False
) -> Any:
    """Return the model with the adapter of a folder on it.

    Args:
        model: the model, without any.
        folder: what PEFT saved.
        trained: whether its weights are trainable.
        dequantized: whether the model's weights are those that few bits stood for.

    Raises:
        BadModel: the folder holds no adapter or one of other weights, or the model's weights are
            not in memory.
    """
    _require_adapter(model, folder)
    if not dequantized:
        _require_fitting(model, folder)
    from peft import PeftModelForCausalLM

    def lay(config: Any) -> Any:
        return PeftModelForCausalLM(model, config)

    adapted, config = _laid(folder, lay, trained=trained)
    if config.is_prompt_learning:
        # told at each token of an answer; the model counts by itself
        warnings.filterwarnings("ignore", message="Position ids are not supported")
    return adapted


def put_adapter(adapted: Any, folder: Path, name: str) -> None:
    """Put the adapter of a folder beside those of a model, by a name of its own, not trained.

    Args:
        adapted: PEFT's wrapper of a model.
        folder: what PEFT saved.
        name: what it is called there.

    Raises:
        BadModel: as `with_adapter`.
    """
    _require_adapter(adapted, folder)
    _require_fitting(adapted.get_base_model(), folder)

    def put(config: Any) -> Any:
        adapted.add_adapter(name, config)
        return adapted

    _laid(folder, put, trained=False, name=name)


def _laid(
    folder: Path,
    lay: Callable[[Any], Any],
    *,
    trained: bool,
    name: str = "default",
) -> tuple[Any, Any]:
    """Return the model with an adapter, its weights in it, and the adapter's config."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        with quiet_peft():
            config = _config_at(folder)
            config.inference_mode = not trained
            adapted = lay(config)
            missing = _fill(adapted, load_file(folder / "adapter_model.safetensors"), name)
    except (SafetensorError, ValueError, TypeError, RuntimeError) as fault:
        said = str(fault).strip().partition("\n")[0]
        raise BadModel(
            f"the adapter in {folder} cannot be put on this model: {said}. "
            "Name one that was trained on this model."
        ) from fault
    _require_filled(missing, folder)
    return adapted, config


def _require_adapter(model: Any, folder: Path) -> None:
    """Refuse a folder that holds no adapter, or a model that none can be laid on.

    Raises:
        BadModel: it says which.
    """
    if not (folder / ADAPTER_CONFIG).is_file():
        raise BadModel(
            f"{folder} holds no adapter: there is no {ADAPTER_CONFIG} in it. {ANOTHER_ADAPTER}"
        )
    if not (folder / "adapter_model.safetensors").is_file():
        # PEFT would look on the Hub, or read a pickle
        raise BadModel(
            f"{folder} holds no weights: there is no adapter_model.safetensors in it. "
            f"{ANOTHER_ADAPTER}"
        )
    if any(parameter.is_meta for parameter in model.parameters()):
        # PEFT would make the adapter's own weights of nothing, and the logits no numbers
        raise BadModel(
            f"`model.device_map` leaves weights of the model elsewhere, to be fetched for each "
            f"forward pass, and the adapter in {folder} cannot be laid on such. Raise "
            "`model.max_memory`, or hold the weights in fewer bits (`quantizer`)."
        )


def _require_filled(missing: list[str], folder: Path) -> None:
    """Refuse an adapter that lacks weights.

    Raises:
        BadModel: it says how many.
    """
    if missing:
        raise BadModel(
            f"the adapter in {folder} has no weights for {len(missing)} of the layers that its "
            f"config names, the first {missing[0]}. {ANOTHER_ADAPTER}"
        )


def _config_at(folder: Path) -> Any:
    """Return PEFT's config of an adapter, with what PEFT drops of it."""
    from peft import PeftConfig

    config = PeftConfig.from_pretrained(str(folder))
    if fitted := fitted_to_quantized(folder):
        setattr(config, FITTED, fitted)
    return config


def _require_fitting(model: Any, folder: Path) -> None:
    """Refuse to lay an adapter on whole weights that makes good for what few bits took of them.

    Raises:
        BadModel: the weights are whole.
    """
    if fitted_to_quantized(folder) and not is_quantized(model):
        raise BadModel(
            f"the adapter in {folder} was fitted to weights in few bits, and on whole ones makes "
            "good a second time for what they took. Name the quantizer that it was trained beside, "
            "or merge it into what these bits stand for: `luthier merge RUN NEW_FOLDER`."
        )


def _fill(adapted: Any, written: dict[str, Any], name: str) -> list[str]:
    """Put an adapter's weights in their places; return the names of places that have none.

    PEFT renames weights as transformers renames those of older checkpoints, and so misses names
    that are right as they are (Laguna's shared experts). It is asked where they are not.
    """
    import torch
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    own = get_peft_model_state_dict(adapted, adapter_name=name, save_embedding_layers=False)
    if adapted.peft_config[name].is_prompt_learning:  # it is a module beside the model's
        if absent := sorted(own.keys() - written.keys()):
            return absent
        set_peft_model_state_dict(adapted, written, adapter_name=name)
        return []
    # of a method that saves less than it holds, these are copies
    held = {one.data_ptr() for one in (*adapted.parameters(), *adapted.buffers())}
    alike = {n: t.shape for n, t in own.items()} == {n: t.shape for n, t in written.items()}
    if alike and held.issuperset(one.data_ptr() for one in own.values()):
        with torch.no_grad():
            for key, tensor in own.items():
                tensor.copy_(written[key])
        return []
    missing = set_peft_model_state_dict(adapted, written, adapter_name=name).missing_keys
    return [key for key in missing if adapted.base_model.prefix in key and name in key.split(".")]


def merged(adapted: Any, folder: Path) -> Any:
    """Return the model with its adapter in its own weights: PEFT lays no adapter over another.

    A head and an embedding that are one weight become two where the adapter changes one of them.

    Args:
        adapted: what `with_adapter` gave.
        folder: where the adapter came from.

    Raises:
        BadModel: the weights are held in few bits, or the adapter is no change of weights.
    """
    if is_quantized(adapted.get_base_model()):
        # what is rounded again is neither the base nor the sum
        raise BadModel(
            f"the adapter in {folder} would be merged into weights that are held in few bits. "
            f"Merge it into whole ones, and name what comes of it as `model.path`: "
            f"`luthier merge {folder} NEW_FOLDER`, with `--base WHOLE_MODEL` where its base is "
            "stored in few bits."
        )
    if not hasattr(adapted, "merge_and_unload"):
        raise BadModel(
            f"the adapter in {folder} is no change of the model's weights, so it cannot be merged "
            "into them. Serve it beside the model, as the last of `model.adapters`."
        )
    _part_ends(adapted.get_base_model())
    with quiet_peft():
        model = adapted.merge_and_unload()
    _tell_config_of_ends(model)
    return model


def _part_ends(model: Any) -> None:
    """Give the head a weight of its own where it is the embedding's, and an adapter lies on one.

    What is merged into one of them would else change the other, too.
    """
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    adapted = [one for one in (head, embedding) if isinstance(one, BaseTunerLayer)]
    if head is None or not adapted or head.weight is not embedding.weight:
        return
    plain: Any = head.get_base_layer() if isinstance(head, BaseTunerLayer) else head
    plain.weight = torch.nn.Parameter(plain.weight.detach().clone(), requires_grad=False)


def _tell_config_of_ends(model: Any) -> None:
    """Have a model's config say that head and embedding are two weights, where they became so."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    if head is not None and not head.weight.equal(embedding.weight):
        for part in (model.config, model.config.get_text_config()):
            part.tie_word_embeddings = False


def is_quantized(model: Any) -> bool:
    """Return whether a model's own weights are held in few bits."""
    return getattr(model, "hf_quantizer", None) is not None
