"""The names that models give their layers, and the type that each tells in its place.

Where one name is used for two things, the modules around it decide: `c_proj` is the output of
attention below `attn`, and the way down below `mlp`. The names are those of transformers' modeling
files (https://github.com/huggingface/transformers/tree/main/src/transformers/models), and of those
that older checkpoints bring themselves (Baichuan, ChatGLM, InternLM2, Qwen).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from luthier.core.model.layer_types import LayerType as T


class Rule(NamedTuple):
    """The type of the layers of some names."""

    type: T
    name: str
    """A regular expression for the layer's own name: the last part of the full one."""
    within: str = ""
    """One for the name of a module that it stands in, or for several such, joined by dots, at any
    depth; empty for any place."""


ATTENTION = (
    "((self|multi_head|linear|local|lsh)_?)?att(n|ention)|cross_attn_layers|(attn|mlstm)_layer"
)
FEED_FORWARD = "feed_?forward|ffn|mlp"
STATE_SPACE = "mamba|mamba_decoder|mixer|ssm"
RECURRENT = "conv|short_conv|temporal_block"

IN_PLACE: tuple[Rule, ...] = (
    Rule(T.SELECTOR, ".*", within=".*indexer|patcher"),
    Rule(T.COEFFICIENTS, "(correction|prediction)_coefs", within="altup"),
    Rule(T.RESIDUAL, ".*", within=".*hyper_connection(_mixer)?|.*_hc|hc_head|altup|laurel"),
    Rule(T.RESIDUAL, r"altup_(unembed_)?projections\.\d+|(hc_)?fn"),
    Rule(T.RESIDUAL, "linear", within="layers"),
    Rule(T.RESIDUAL, "query", within=".*_input"),
    Rule(T.HEAD, ".*", within="lm_head"),
    Rule(T.EMBEDDING_PROJECTION, ".*", within="ple"),
    Rule(T.EMBEDDING_PROJECTION, "per_layer_.*|.*embedding_projection|project_(in|out)"),
    Rule(T.ROUTER, ".*", within="router|router_mlp|gate"),
    Rule(T.ROUTER, "router|gate|shared_expert_gate"),
    Rule(T.EXPERT_LATENT, "fc[12]_latent_proj"),
    Rule(T.EXPERT, "[wv][12]", within=r"experts\.mlp"),
    # attention; of experts in JetMoe, where a token's heads are chosen for it
    Rule(T.QUERY, "input_linear", within="self_attention"),
    Rule(T.ATTENTION_OUTPUT, "output_linear", within="self_attention"),
    Rule(T.ATTENTION_GATE, "receptance|dt_proj|[ab]_proj|f(_[ab])?_proj", within=ATTENTION),
    Rule(T.ATTENTION_GATE, "in_proj_(z|b|a|ba)|[oif]gate_preact|.*gate(_proj)?", within=ATTENTION),
    Rule(T.ATTENTION_GATE, "g(_[ab])?_proj|sink_proj|weight_proj", within=ATTENTION),
    Rule(T.ATTENTION_POSITION, "r_proj", within=ATTENTION),
    Rule(T.ATTENTION_OUTPUT, "dense|output|out_proj|c_proj|[wW]o|attention_out", within=ATTENTION),
    Rule(T.UP, "key", within=FEED_FORWARD),
    Rule(T.UP, "dense", within="dense|intermediate"),
    Rule(T.DOWN, "value", within=FEED_FORWARD),
    Rule(T.DOWN, "dense", within="output"),
    Rule(T.GATE, "receptance", within=FEED_FORWARD),
    # state spaces and recurrences
    Rule(T.STATE_SPACE_INPUT, "in_proj", within=STATE_SPACE),
    Rule(T.STATE_SPACE_PARAMETERS, "x_proj", within=STATE_SPACE),
    Rule(T.COEFFICIENTS, "dt_proj|(x|dt)_proj_weight|A_log|D", within=STATE_SPACE),
    Rule(T.STATE_SPACE_OUTPUT, "out_proj", within=STATE_SPACE),
    Rule(T.RECURRENT_INPUT, "in_proj|linear_[xy]", within=RECURRENT),
    Rule(T.COEFFICIENTS, "(input|recurrent)_gate_weight", within=RECURRENT),
    Rule(T.RECURRENT_OUTPUT, "out_proj|linear_out", within=RECURRENT),
)
"""Names that tell their type in some places only. The first rule that fits decides."""

ANYWHERE: tuple[Rule, ...] = (
    Rule(T.QUERY, "q(_proj)?|[wW]q|query|project_q"),
    Rule(T.KEY, "k(_proj)?|[wW]k|key|project_k"),
    Rule(T.VALUE, "v(_proj(_current|_delayed)?)?|[wW]v|value|project_v"),
    Rule(T.QUERY_KEY_VALUE, "qkv(_proj)?|[wW]qkv|query_key(_value)?|c_attn|W_pack"),
    Rule(T.QUERY_KEY_VALUE, "kv(_proj)?|in_proj_qkvz?"),
    Rule(T.QUERY_DOWN, "q_a_proj"),
    Rule(T.QUERY_UP, "q_b_proj"),
    Rule(T.KEY_VALUE_DOWN, "kv_a_proj(_with_mqa)?"),
    Rule(T.KEY_VALUE_UP, "kv_b_proj"),
    Rule(T.ATTENTION_OUTPUT, "o(_[ab])?_proj"),
    Rule(T.HEAD, "lm_head|output_layer|embed_out"),
)
"""Names that tell their type wherever they stand."""

SHARED_EXPERT = "shared_(experts?|mlp)"
STACKED = {"input_linear", "output_linear"}
"""Names of experts that are one layer (JetMoe) and stand in no list of them."""
FORMS: tuple[tuple[str, str], ...] = (
    ("gate", r"gate_proj|w1|w_0|proj_up_gate"),
    ("gate-up", r"gate_up_proj(_adapter_list\.\d)?|Wi|input_linear"),
    ("up", r"(proj_)?up(_proj)?|w3|v1|w_1|c_fc|fc1|fc_in|dense_h_to_4h|ffn\.0"),
    ("down", r"(proj_)?down(_proj)?|w2|w_out|c_proj|fc2|fc_out|dense_4h_to_h|ffn\.2|Wo"),
    ("down", r"output_linear"),
)
"""What the layers of a gated MLP are called; of an expert and a shared one, too."""


def type_named(name: str) -> T | None:
    """Return the type that a layer's full name tells, or None where it tells none.

    Args:
        name: such as `model.layers.3.self_attn.q_proj`; that of a parameter where the layer is one.
    """
    own, places = _own(name)
    for rule in (*IN_PLACE, *ANYWHERE):
        if re.fullmatch(rule.name, own) and _stands(places, rule.within):
            return rule.type
    for form, names in FORMS:
        if re.fullmatch(names, own):
            return T(f"{_owner(own, places)}-{form}")
    return None


def _owner(own: str, places: list[str]) -> str:
    """Return which MLP a layer is of, as the types begin."""
    if _stands(places, SHARED_EXPERT):
        return "shared-expert"
    if _stands(places, "experts") or own in STACKED:
        return "expert"
    return "mlp"


def _own(name: str) -> tuple[str, list[str]]:
    """Return the last part of a name, and the parts that it stands in; numbers are left out.

    A part that says nothing goes with the one before: `ffn.2`, and Moshi's `q_proj.linear`.
    """
    *before, last = name.split(".")
    if last == "linear" and before and not before[-1].isdigit():
        *before, last = before
    places = [part for part in before if not part.isdigit()]
    if last.isdigit() and places:
        last = f"{places.pop()}.{last}"
    return last, places


def _stands(places: list[str], within: str) -> bool:
    return not within or bool(re.search(rf"(^|\.)({within})(\.|$)", ".".join(places)))
