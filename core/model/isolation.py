"""Models in which sequences of one row reach each other, as far as their configs tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WITH_STATE = frozenset(
    {
        "bamba", "falcon_h1", "falcon_mamba", "jamba", "mamba", "mamba2", "nemotron_h",
        "recurrent_gemma", "rwkv", "xlstm", "zamba", "zamba2", "zaya",
    }
)  # fmt: skip
"""Model types of transformers with layers that remember: recurrent ones, and convolutions."""
WITH_STATE_UNLESS_TOLD = frozenset(
    {
        "bailing_hybrid", "glm5_next_text", "granitemoehybrid", "kimi_linear", "lfm2",
        "lfm3", "minimax", "olmo_hybrid", "qwen3_5_moe_text", "qwen3_5_text", "qwen3_next",
        "qwen4_exp_text",
    }
)  # fmt: skip
"""Those that have such layers where the config does not list the kinds of its layers; the
checkpoints of Qwen3-Next and Kimi Linear tell them in words of their own."""
STATEFUL_LAYERS = frozenset({"linear_attention", "mamba", "conv", "recurrent"})
BY_DISTANCE = frozenset({"bloom", "mpt"})
HEEDLESS = frozenset(
    {
        "afmoe", "biogpt", "blt", "codegen", "cpmant", "deepseek_v4", "falcon", "gpt_neo",
        "gpt_neox_japanese", "gpt_oss", "gptj", "inkling2_text", "inkling_text", "openai-gpt",
        "opt", "reformer", "xglm",
    }
)  # fmt: skip
"""Model types whose code hands no positions to attention, or computes it by itself."""


def leak_of(config: Mapping[str, Any]) -> str | None:
    """Return why the sequences of a row cannot be told apart in a model, where its config tells.

    What no config tells, `luthier.core.training.require_isolated` finds by trying the model.
    """
    text = config.get("text_config")
    if isinstance(text, Mapping) and (reason := leak_of(text)):
        return reason
    if config.get("model_type") in WITH_STATE:
        return "a state goes from each token to the next, and so from one sequence into another"
    kinds = config.get("layer_types") or config.get("layers_block_type") or ()
    untold = not kinds and config.get("model_type") in WITH_STATE_UNLESS_TOLD
    if untold or not STATEFUL_LAYERS.isdisjoint(kinds):
        return "some layers carry a state from each token to the next, and so into the next row"
    if config.get("alibi") or config.get("model_type") in BY_DISTANCE:
        return "attention goes by the distance in the row, whatever the positions are"
    if config.get("model_type") in HEEDLESS:
        return "the code does not tell attention where a sequence begins"
    return None
