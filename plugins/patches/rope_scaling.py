"""RoPE scaling: a model of rotary positions reads more tokens than it was trained on.

Sources: position interpolation (`linear`), Chen et al., 2023 (https://arxiv.org/abs/2306.15595);
`yarn`, Peng et al., 2023 (https://arxiv.org/abs/2309.00071), whose section 3 also gives `dynamic`
(NTK-aware); `longrope`, Ding et al., 2024 (https://arxiv.org/abs/2402.13753); `llama3`, as Llama
3.1 has it (https://huggingface.co/meta-llama/Llama-3.1-8B). transformers computes each
(https://huggingface.co/docs/transformers/internal/rope_utils). The factor is the longest row over
the model's context, rounded up (Zheng et al., 2024, https://arxiv.org/abs/2403.13372, section 3.1).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from luthier.core import BadModel, Finding, Plugin, hookimpl

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel

    from luthier.core.hooks import Phase
    from luthier.core.model.loading import LoadPlan
    from luthier.core.model.opening import ModelSpec

logger = logging.getLogger(__name__)

FULL_ATTENTION = "full_attention"
"""The layers whose RoPE is scaled where a model has several: a window never leaves the context."""
WITHOUT_ROPE = frozenset(
    {
        "biogpt", "bloom", "falcon_mamba", "gpt2", "gpt_bigcode", "gpt_neo", "mamba", "mamba2",
        "mpt", "opt", "rwkv", "xglm", "xlstm",
    }
)  # fmt: skip
"""Model types of transformers that have learned positions, biases by distance, or none at all."""
MOST_TOKENS = 2**24
"""Positions are computed in float32, which tells no more of them apart."""
Factors = Annotated[list[float], Field(min_length=1)]


class RopeScaling(Plugin):
    """Stretch a model's rotary positions, so that it reads rows beyond its context."""

    kind: Literal["linear", "dynamic", "yarn", "llama3", "longrope"] = "linear"
    """How: all frequencies alike, by the row's own length, by their wavelength (two ways), or each
    by factors that were searched for."""
    factor: Annotated[float, Field(gt=1, le=MOST_TOKENS)] | None = None
    """How many times the context; `encoding.max_length` over it, rounded up, if not given."""
    short_factors: Factors | None = None
    """Of `longrope`: a divisor of each frequency, for rows within the context."""
    long_factors: Factors | None = None
    """Of `longrope`: a divisor of each frequency, for rows beyond it."""

    @model_validator(mode="after")
    def _factors_are_those_of_longrope(self) -> RopeScaling:
        factors = (self.short_factors, self.long_factors)
        if self.kind == "longrope" and None in factors:
            raise ValueError(
                "longrope needs `short_factors` and `long_factors`, which a search finds for each "
                "model; where there are none, choose yarn"
            )
        if self.kind != "longrope" and any(factors):
            raise ValueError(f"only longrope takes factors of each frequency, not {self.kind}")
        return self

    @hookimpl
    def check_model(self, config: Mapping[str, Any]) -> Iterable[Finding]:
        """Tell of a model that is known to have no rotary positions."""
        if config.get("model_type") in WITHOUT_ROPE:
            said = f"models of the type {config['model_type']} have no rotary positions to scale"
            yield Finding("", said, "Leave it out, or choose another model.")

    @hookimpl
    def plan_load(self, plan: LoadPlan, model: ModelSpec, location: Path | str) -> None:
        """Change `rope_parameters`, and `max_position_embeddings` with it, in the model's config.

        Raises:
            BadModel: the model has no rotary positions, or they are scaled in another way, or
                would be further than they can be told apart.
        """
        from luthier.core.model.architectures import config_at

        config = config_at(location, model.revision).get_text_config()
        rope = _rope_of(config, model.path)
        factor = self._factor(config, rope, model)
        if factor is None:
            return
        context = config.max_position_embeddings
        _require_countable(context, factor, model.path)
        self._require_factors_of(config, rope)
        scaled = {**rope, **self._parameters(factor, context)}
        nested = config.rope_parameters.get(FULL_ATTENTION) is not None
        whole = {**config.rope_parameters, FULL_ATTENTION: scaled} if nested else scaled
        plan.change_config("rope_parameters", whole)
        if self.kind != "dynamic":  # it goes by how much longer than this a row is
            plan.change_config("max_position_embeddings", math.ceil(context * factor))
        if hasattr(config, "original_max_position_embeddings"):  # it comes before that of RoPE
            plan.change_config("original_max_position_embeddings", context)

    @hookimpl
    def patch_model(self, model: PreTrainedModel, phase: Phase) -> None:
        """Change nothing; refuse a model whose code does not do what its config says.

        Raises:
            BadModel: no module of the model has positions of this kind.
        """
        config = model.config.get_text_config()
        rope = _of_full_attention(getattr(config, "rope_parameters", None))
        asked = rope.get("rope_type") == self.kind
        if phase == "built" and asked and not any(map(self._is_made, model.modules())):
            raise BadModel(
                f"{type(model).__name__} does not compute {self.kind} RoPE scaling. "
                "Choose another `kind`, or leave rope-scaling out."
            )

    def _is_made(self, module: nn.Module) -> bool:
        made = getattr(module, "rope_type", None)
        return self.kind in (made.values() if isinstance(made, Mapping) else (made,))

    def _factor(
        self, config: PretrainedConfig, rope: Mapping[str, Any], model: ModelSpec
    ) -> float | None:
        """Return the factor; None where the model reaches far enough as it is.

        Raises:
            BadModel: its positions are scaled already, and this would be another scaling.
        """
        kind, present = rope.get("rope_type", "default"), rope.get("factor")
        context = config.max_position_embeddings
        reach = context * (present or 1) if kind == "dynamic" else context
        if kind == self.kind and present is not None and self.factor == present:
            return None  # a model that was trained so, and has it in its config
        if self.factor is None and model.max_length <= reach:
            if kind != self.kind:
                logger.warning(
                    "RoPE is not scaled: rows of up to %d tokens (`encoding.max_length`) fit the "
                    "context of %s, %d", model.max_length, model.path, reach,
                )  # fmt: skip
            return None
        if kind != "default":
            by = f" by {present:g}" if present else ""
            raise BadModel(
                f"the rotary positions of {model.path} are scaled already ({kind}{by}), up to "
                f"{reach:g} tokens. Leave rope-scaling out, or name the model as it was before."
            )
        return self.factor or float(math.ceil(model.max_length / context))

    def _require_factors_of(self, config: PretrainedConfig, rope: Mapping[str, Any]) -> None:
        """Refuse factors of longrope that are not as many as the model has frequencies."""
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        frequencies = int(size * rope.get("partial_rotary_factor", 1.0)) // 2
        for name in ("short_factors", "long_factors"):
            factors = getattr(self, name)
            if factors is not None and len(factors) != frequencies:
                raise BadModel(
                    f"{name} of rope-scaling are {len(factors)}, and this model has {frequencies} "
                    "frequencies. Take those that were searched for this very model."
                )

    def _parameters(self, factor: float, context: int) -> dict[str, Any]:
        """Return what the kind adds to a model's `rope_parameters`."""
        known: dict[str, Any] = {"rope_type": self.kind, "factor": factor}
        if self.kind in {"yarn", "llama3", "longrope"}:
            known["original_max_position_embeddings"] = context
        if self.kind == "llama3":
            # those of Llama 3.1
            known |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
        if self.kind == "longrope":
            known |= {"short_factor": self.short_factors, "long_factor": self.long_factors}
        return known


def _require_countable(context: int, factor: float, path: str) -> None:
    """Refuse a factor that makes more positions than there are numbers for.

    Raises:
        BadModel: it does.
    """
    if context * factor > MOST_TOKENS:
        raise BadModel(
            f"a factor of {factor:g} would stretch the context of {path}, {context:,} tokens, to "
            f"over {MOST_TOKENS:,}, and positions beyond are not told apart. Choose a smaller "
            "`factor` of rope-scaling, or a smaller `encoding.max_length`, which gives it."
        )


def _rope_of(config: PretrainedConfig, path: str) -> dict[str, Any]:
    """Return the parameters of a model's RoPE, of its full attention where it has several.

    Raises:
        BadModel: it has none.
    """
    own = _of_full_attention(getattr(config, "rope_parameters", None))
    if "rope_theta" not in own or not hasattr(config, "max_position_embeddings"):
        raise BadModel(
            f"{path} has no rotary positions that transformers can scale. "
            "Leave rope-scaling out, or choose another model."
        )
    return dict(own)


def _of_full_attention(parameters: Mapping[str, Any] | None) -> Mapping[str, Any]:
    known = parameters or {}
    return known.get(FULL_ATTENTION) or known
