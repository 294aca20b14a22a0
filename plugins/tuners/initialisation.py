"""How LoRA's matrices begin, where that takes more than a word to PEFT.

PiSSA (Meng et al., 2024, https://arxiv.org/abs/2404.02948), OLoRA (Büyükakyüz, 2024,
https://arxiv.org/abs/2406.01775), LoftQ (Li et al., 2023, https://arxiv.org/abs/2310.08659) and
EVA (Paischer et al., 2024, https://arxiv.org/abs/2410.07170). A sibling of the plugin, since it
needs torch and transformers.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from luthier.core import BadModel
from luthier.core.model.adapters import FITTED
from luthier.core.model.layers import PEFT_PREFIX
from luthier.core.templates import IGNORED

if TYPE_CHECKING:
    from luthier.core.hooks import Undo
    from luthier.core.run.job import TrainingJob

ADAPTER = "default"
"""PEFT's name of the one adapter that a model has here."""


def require_linear(init: str, model: Any, names: Iterable[str]) -> None:
    """Refuse a decomposition that PEFT makes of a weight without asking which way it lies.

    Raises:
        BadModel: a layer holds its weight transposed, as those of GPT-2 do, or is none that its
            weight is multiplied in.
    """
    from torch.nn.modules.conv import _ConvNd
    from transformers.pytorch_utils import Conv1D

    for name in names if init in {"pissa", "olora", "loftq"} else ():
        module = model.get_submodule(name)
        if isinstance(module, torch.nn.Embedding | _ConvNd):
            raise BadModel(
                f"`init: {init}` decomposes the weights of linear layers, and {name} is none. "
                "Leave it out of `targets`, or leave `init` out."
            )
        if init == "olora" and isinstance(module, Conv1D):
            raise BadModel(
                f"PEFT's `init: olora` takes {name} for a linear layer, whose weight lies the "
                "other way. Choose `init: pissa`."
            )


def fit_to_quantized(model: Any) -> None:
    """Set each pair of matrices to the best low-rank fit of what 4 bits took from its weight.

    It is LoftQ's first iteration (algorithm 1), for weights that stay as they were rounded. PEFT's
    own needs a GPU, and leaves out that the update is scaled.

    Raises:
        BadModel: the whole weights are not at hand, in safetensors.
    """
    from peft.utils.integrations import dequantize_module_weight

    stored = _stored_weights(model.config._name_or_path)  # noqa: SLF001 - where it was loaded from
    chosen = {id(layer) for layer in _layers(model)}
    for name, layer in model.named_modules():
        if id(layer) not in chosen:
            continue
        weight = stored(f"{name.removeprefix(PEFT_PREFIX)}.weight")
        base = layer.get_base_layer()
        held_OI = dequantize_module_weight(base).float()
        lost_OI = weight.to(held_OI) - held_OI
        rank = layer.r[ADAPTER]
        u_OR, s_R, v_IR = torch.svd_lowrank(lost_OI / layer.scaling[ADAPTER], rank, niter=8)
        with torch.no_grad():
            layer.lora_A[ADAPTER].weight.copy_((v_IR * s_R.sqrt()).T)
            layer.lora_B[ADAPTER].weight.copy_(u_OR * s_R.sqrt())
    # the adapter belongs to these weights alone, and what it is saved with says so
    setattr(model.peft_config[ADAPTER], FITTED, {"loftq_bits": 4, "loftq_iter": 1})


def _stored_weights(location: str) -> Callable[[str], torch.Tensor]:
    """Return what reads a weight, by its name, from the safetensors of a folder or of the Hub."""
    from huggingface_hub import snapshot_download
    from safetensors import safe_open

    folder = Path(location)
    if not folder.is_dir():
        folder = Path(snapshot_download(location, local_files_only=True))
    files = {}
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            files.update(dict.fromkeys(weights.keys(), file))

    def read(name: str) -> torch.Tensor:
        if name not in files:
            raise BadModel(
                f"`init: loftq` needs the whole weights in safetensors, and {folder} has no {name}."
                " Leave `init` out."
            )
        with safe_open(files[name], "pt") as weights:
            tensor: torch.Tensor = weights.get_tensor(name)
        return tensor

    return read


def conversion(model: Any) -> Undo | None:
    """Return what makes of matrices that were taken out of the weights a plain LoRA on these.

    With B0 A0 taken out of the weight W, of rank r, and trained to B A, the layer computes
    (W - s B0 A0) + s B A = W + s [B, -B0] [A; A0], which is a LoRA of rank 2r on W. None where the
    matrices began otherwise, as those of an adapter that is gone on with did.
    """
    config = model.peft_config[ADAPTER]
    if not str(config.init_lora_weights).startswith(("pissa", "olora")):
        return None
    began = {layer: _matrices(layer) for layer in _layers(model)}

    def undo() -> None:
        with torch.no_grad():
            for layer, (down_RI, up_OR) in began.items():
                _double(layer, down_RI, up_OR)
        config.init_lora_weights = True
        # the scale of an update is to stay, and its rank is twice what it was
        grown = math.sqrt(2) if config.use_rslora else 2
        config.r, config.lora_alpha = 2 * config.r, grown * config.lora_alpha
        config.rank_pattern = {name: 2 * rank for name, rank in config.rank_pattern.items()}
        config.alpha_pattern = {name: grown * one for name, one in config.alpha_pattern.items()}

    return undo


def _layers(model: Any) -> list[Any]:
    from peft.tuners.lora import LoraLayer

    return [one for one in model.modules() if isinstance(one, LoraLayer)]


def _matrices(layer: Any) -> tuple[torch.Tensor, torch.Tensor]:
    down, up = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
    return down.detach().clone(), up.detach().clone()


def _double(layer: Any, down_RI: torch.Tensor, up_OR: torch.Tensor) -> None:
    """Give a layer back what was taken out of its weight, and subtract it beside it."""
    base, scale = layer.get_base_layer().weight, layer.scaling[ADAPTER]
    taken_OI = scale * (up_OR @ down_RI).float()
    base += (taken_OI.T if layer.fan_in_fan_out else taken_OI).to(base)
    down, up = layer.lora_A[ADAPTER], layer.lora_B[ADAPTER]
    down.weight = torch.nn.Parameter(torch.cat([down.weight, down_RI.to(down.weight)]))
    up.weight = torch.nn.Parameter(torch.cat([up.weight, -up_OR.to(up.weight)], dim=1))
    down.out_features = up.in_features = 2 * len(down_RI)
    layer.r[ADAPTER] = 2 * len(down_RI)


class BeginningFromData(TrainerCallback):
    """Sets the matrices into which inputs go to the first directions of these, before any step."""

    def __init__(self, job: TrainingJob) -> None:
        """Keep the run, and see that it has what to begin with.

        Raises:
            BadModel: its rows are so few that they have not as many directions.
        """
        self.job = job
        if self._config().init_lora_weights == "eva":
            next(iter(self._batches()))

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Look at the rows, if nothing is trained yet; what is gone on with has been set."""
        from peft import get_eva_state_dict, initialize_lora_eva_weights

        model, config = self.job.opened.model, self._config()
        if state.global_step or config.init_lora_weights != "eva":
            return
        # of layers with the same inputs PEFT would trade ranks: each is asked for as many
        # directions as any has, and takes the first of them
        alike = copy.copy(config)
        alike.r, alike.rank_pattern = self._rank(), {}
        found = get_eva_state_dict(
            model, dataloader=self._batches(), peft_config=alike, show_progress_bar=False
        )
        own = {name: model.get_submodule(name).r[ADAPTER] for name in found}
        first = {name: directions_RI[: own[name]] for name, directions_RI in found.items()}
        initialize_lora_eva_weights(model, eva_state_dict=first)
        config.init_lora_weights, config.eva_config = True, None

    def _config(self) -> Any:
        return self.job.opened.model.peft_config[ADAPTER]

    def _rank(self) -> int:
        highest: int = max(layer.r[ADAPTER] for layer in _layers(self.job.opened.model))
        return highest

    def _batches(self) -> _Batches:
        return _Batches(self.job, self._rank())


class _Batches:
    """The rows of a run in batches of enough trained tokens, on the model's device."""

    def __init__(self, job: TrainingJob, least: int) -> None:
        """Hold the run, and how many trained tokens a batch has at least: PEFT skips others."""
        self.job = job
        self.least = least

    def __len__(self) -> int:
        return math.ceil(len(self.job.dataset) / self.job.run.training.batch_size)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        rows, size = self.job.dataset, self.job.run.training.batch_size
        device = next(self.job.opened.model.parameters()).device
        collator = self.job.collator
        assert collator is not None  # noqa: S101 - it is made before any callback
        chosen: list[Any] = []
        trained = 0
        for first in range(0, len(rows), size):
            chosen += [rows[n] for n in range(first, min(first + size, len(rows)))]
            batch = collator(chosen)
            trained = int((batch["labels"] != IGNORED).sum())
            if trained < self.least:
                continue
            chosen = []
            # PEFT takes no others, and the trainer has turned caches off by now
            tensors = {k: v for k, v in batch.items() if isinstance(v, torch.Tensor)}
            yield {key: one.to(device) for key, one in tensors.items()}
        if len(chosen) == len(rows):
            raise BadModel(
                f"`init: eva` takes {self.least} directions from the data, and all rows have "
                f"{trained} trained tokens. Give more rows, a lower `rank`, or leave `init` out."
            )
