"""What a layer of a language model is for: the types, and the words that stand for many of them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class LayerType(StrEnum):
    """What a layer is for."""

    QUERY = "attention-query"
    KEY = "attention-key"
    VALUE = "attention-value"
    QUERY_KEY_VALUE = "attention-query-key-value"
    """Two of the three, or all of them, in one layer."""
    QUERY_DOWN = "attention-query-down"
    """Into the low-rank query of latent attention (DeepSeek-V2)."""
    QUERY_UP = "attention-query-up"
    KEY_VALUE_DOWN = "attention-key-value-down"
    """Into the low-rank keys and values of latent attention, which are what is cached."""
    KEY_VALUE_UP = "attention-key-value-up"
    ATTENTION_OUTPUT = "attention-output"
    ATTENTION_GATE = "attention-gate"
    """What scales, masks or decays attention: a gate on its output, a sink, a forget gate."""
    ATTENTION_POSITION = "attention-position"
    """What tells attention of distances."""
    SELECTOR = "selector"
    """What only chooses: the tokens a sparse attention sees, where a patch of bytes ends."""

    GATE = "mlp-gate"
    UP = "mlp-up"
    GATE_UP = "mlp-gate-up"
    DOWN = "mlp-down"
    EXPERT_GATE = "expert-gate"
    EXPERT_UP = "expert-up"
    EXPERT_GATE_UP = "expert-gate-up"
    EXPERT_DOWN = "expert-down"
    SHARED_EXPERT_GATE = "shared-expert-gate"
    """Of the expert, or the MLP beside the experts, that every token passes."""
    SHARED_EXPERT_UP = "shared-expert-up"
    SHARED_EXPERT_GATE_UP = "shared-expert-gate-up"
    SHARED_EXPERT_DOWN = "shared-expert-down"
    EXPERT = "expert"
    """Experts whose weights the module around them reads (DBRX)."""
    EXPERT_LATENT = "expert-latent"
    """Into or out of the narrower space that experts work in (Nemotron 3)."""
    ROUTER = "router"
    """What weighs experts, the shared one too."""

    STATE_SPACE_INPUT = "state-space-input"
    STATE_SPACE_PARAMETERS = "state-space-parameters"
    """What makes the step, B and C of a state-space model from its input."""
    STATE_SPACE_OUTPUT = "state-space-output"
    RECURRENT_INPUT = "recurrent-input"
    """Into a short convolution (LFM2), or a gated linear recurrence (Griffin)."""
    RECURRENT_OUTPUT = "recurrent-output"
    CONVOLUTION = "convolution"
    COEFFICIENTS = "coefficients"
    """What the module around it reads: the step, A and D of a scan, AltUp's numbers."""

    EMBEDDING = "embedding"
    EMBEDDING_PROJECTION = "embedding-projection"
    """What brings an embedding to the width, or the layer, where it is used."""
    RESIDUAL = "residual"
    """What mixes the residual stream: hyper-connections, LAuReL, the way back of a shared block."""
    HEAD = "head"
    NORM = "norm"
    OTHER = "other"
    """A linear layer whose name says nothing that we know."""


def _of(prefix: str) -> frozenset[LayerType]:
    return frozenset(one for one in LayerType if one.value.startswith(prefix))


UNREACHED: Mapping[LayerType, str] = {
    LayerType.COEFFICIENTS: "the module around it reads its weights, past any adapter",
    LayerType.EXPERT: "the module around it reads its weights, past any adapter",
    LayerType.STATE_SPACE_OUTPUT: "the fused kernel reads its weights, past any adapter",
    LayerType.SELECTOR: "what only chooses has no gradient",
    LayerType.CONVOLUTION: "it is a convolution",
    LayerType.NORM: "it has no matrix",
}
"""The types beside which nothing can be trained, each with the reason."""

KEPT: Mapping[LayerType, str] = {
    **UNREACHED,
    LayerType.EMBEDDING: "it is no linear layer",
    LayerType.HEAD: "it is as large as the vocabulary, and often tied to the embedding",
    LayerType.ROUTER: "which expert is asked is best left as it was learned",
}
"""The types that `all` leaves out, each with the reason."""

GROUPS: Mapping[str, frozenset[LayerType]] = {
    "all": frozenset(LayerType) - KEPT.keys(),
    "attention": _of("attention-") - KEPT.keys(),
    "mlp": _of("mlp-") | _of("expert-") | _of("shared-expert-"),
    "experts": _of("expert-"),
    "state-space": (_of("state-space-") | _of("recurrent-")) - KEPT.keys(),
}
"""What one word stands for in the run file's `targets`; `all` is every linear layer of a block."""
