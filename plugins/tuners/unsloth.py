"""Unsloth: LoRA on a model of its own, whose layers and their backward passes are Triton kernels.

Source: https://github.com/unslothai/unsloth (FastLanguageModel). It loads the model in the place of
the family, and attaches the adapter in the place of a tuner.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from luthier.core import BadModel, Need, Plugin, Refusal, hookimpl

if TYPE_CHECKING:
    from luthier.core.model.layers import LayerMap
    from luthier.core.model.loading import LoadPlan
    from luthier.core.model.opening import ModelSpec

OWN = "unsloth computes the model by code of its own"
LEAVE_OUT = "Leave it out, or choose `tuner: lora`"


class Unsloth(Plugin):
    """Train two low-rank matrices beside each chosen linear layer, with Unsloth's kernels."""

    rank: Annotated[int, Field(ge=1)] = 8
    """The rank of the matrices."""
    alpha: Annotated[float, Field(gt=0)] | None = None
    """The update is scaled by alpha / rank; twice the rank where it is not given."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The share of the layer's inputs dropped on the way into the matrices; 0 is the fastest."""
    targets: str | list[str] = "all"
    """`all` linear layers, `attention`, `mlp`, `experts`, a type such as `attention-query`, a list
    of these and of layer names, or a regular expression."""

    variant_of: ClassVar = "lora"
    traits: ClassVar = frozenset({"adapter", "low-rank", "recomputes-layers", "fixed-embedding"})
    packages: ClassVar = ("unsloth>=2025.10",)
    extra: ClassVar = "unsloth"
    serves: ClassVar = "training"
    needs: ClassVar = (
        Need("device-gpu", "its kernels are compiled for a GPU", "Choose `tuner: lora`"),
    )
    refuses: ClassVar = tuple(
        Refusal(trait, OWN, LEAVE_OUT)
        for trait in (
            "attention-backend", "attention-wrapper", "rows-end-to-end", "packed-rows",
            "recomputes-layers", "head-loss", "shards-weights",
        )
    )  # fmt: skip

    @hookimpl
    def load_model(self, model: ModelSpec, location: Path | str, plan: LoadPlan) -> Any:
        """Return the model through FastLanguageModel.

        Raises:
            BadModel: a patch changes its config, or Unsloth does not take it.
        """
        import torch
        from unsloth import FastLanguageModel

        if plan.config:
            raise BadModel(
                f"{OWN}, and what changes `{next(iter(plan.config))}` of its config is not handed "
                "on. Leave that plugin out, or choose `tuner: lora`."
            )
        settings: dict[str, Any] = {}
        if plan.quantization is not None:
            settings["quantization_config"] = plan.quantization
        if plan.device_map is not None:
            settings["device_map"] = plan.device_map
        try:
            loaded, _ = FastLanguageModel.from_pretrained(
                model_name=str(location),
                revision=model.revision,
                max_seq_length=model.max_length,
                dtype=getattr(torch, plan.dtype),
                load_in_4bit=getattr(plan.quantization, "load_in_4bit", False),
                load_in_8bit=getattr(plan.quantization, "load_in_8bit", False),
                use_exact_model_name=True,  # else it takes a quantized copy of its own
                fix_tokenizer=False,
                trust_remote_code=False,
                **settings,
            )
        except (OSError, ValueError, RuntimeError, NotImplementedError) as fault:
            said = str(fault).strip().partition("\n")[0].rstrip(".")
            raise BadModel(
                f"Unsloth cannot load {location}: {said}. Choose `tuner: lora`."
            ) from fault
        return loaded

    @hookimpl
    def check_layers(self, layers: LayerMap) -> None:
        """Refuse what names no layer."""
        layers.resolve(self.targets, beside=True)

    @hookimpl
    def attach_adapter(self, model: Any, layers: LayerMap) -> Any:
        """Return the model with Unsloth's LoRA."""
        import torch
        from unsloth import FastLanguageModel

        targets = layers.resolve(self.targets, beside=True)
        return FastLanguageModel.get_peft_model(
            model,
            r=self.rank,
            lora_alpha=2 * self.rank if self.alpha is None else self.alpha,
            lora_dropout=self.dropout,
            target_modules=[name for name in targets if name not in layers.parameters],
            target_parameters=[layers.parameters[n] for n in targets if n in layers.parameters],
            use_gradient_checkpointing="unsloth",
            random_state=torch.initial_seed() % 2**32,  # the run's own; it seeds torch with it
        )
