"""A tiny random model of each decoder that transformers holds, made from its own config class.

The sizes of a config are fields with the same names in most architectures, so one table makes them
small. What an architecture wants otherwise stands in `EXCEPTIONS`.
"""

import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

VOCABULARY = 99

SIZES = {
    value: names.split()
    for value, names in {
        VOCABULARY: "vocab_size vocab_size_per_layer_input unpadded_vocab_size",
        32: "hidden_size n_embd d_model embedding_dim word_embed_proj_dim lru_width "
        "hidden_size_per_layer_input",
        48: "intermediate_size ffn_dim ffn_hidden_size dim_ff dff feed_forward_size "
        "dense_intermediate_size intermediate_size_mlp",
        24: "moe_intermediate_size shared_expert_intermediate_size expert_ffn_hidden_size "
        "shared_intermediate_size moe_shared_expert_intermediate_size "
        "shared_experts_intermediate_size",
        # heads, and what they are made of
        4: "num_attention_heads n_head num_heads n_heads attention_heads swa_num_attention_heads "
        "index_n_heads linear_num_heads linear_num_key_heads linear_num_value_heads "
        "num_experts n_routed_experts num_local_experts moe_num_experts",
        16: "kv_lora_rank q_lora_rank o_lora_rank qk_head_dim sliding_window sliding_window_size "
        "chunk_size mamba_chunk_size attention_window_size window_size attention_chunk_size",
        8: "head_dim v_head_dim qk_nope_head_dim qk_rope_head_dim swa_head_dim global_head_dim "
        "dim_head kv_channels linear_head_dim linear_key_head_dim linear_value_head_dim "
        "index_head_dim attention_head_size mamba_head_dim mamba_d_head mamba_headdim rotary_dim "
        "mamba_d_state state_size ssm_state_size mamba_n_heads mamba_num_heads index_topk",
        2: "num_hidden_layers n_layer num_layers n_layers num_blocks num_key_value_heads "
        "swa_num_key_value_heads num_kv_heads num_experts_per_tok moe_topk moe_k "
        "num_experts_per_token eos_token_id",
        1: "n_group topk_group num_expert_group first_k_dense_replace num_dense_layers "
        "moe_layer_start_index bos_token_id",
        0: "pad_token_id",
        128: "max_position_embeddings n_positions max_seq_len n_ctx context_length",
    }.items()
}
"""The fields that every config is given, by value."""

KINDS_OF_LAYERS = ("layer_types", "mlp_layer_types", "layers_block_type", "indexer_types")
"""Fields that say what each layer is: one layer of every combination is kept."""

_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
_GRID = {**_ROPE, "mrope_section": [1, 1, 2]}

EXCEPTIONS = {
    # the default has no attention, or no state-space layer, within two layers
    "bamba": {"attn_layer_indices": [1]},
    "granitemoehybrid": {"layer_types": ["linear_attention", "full_attention"]},
    "jamba": {
        "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2,
        "expert_layer_offset": 1, "mamba_dt_rank": 4,
    },
    "recurrent_gemma": {"num_hidden_layers": 3},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {"sliding_attention": _GRID, "full_attention": _GRID},
    },
    # layers that share what they hold come in pairs
    "gemma3n_text": {
        "num_hidden_layers": 4, "layer_types": ["sliding_attention", "full_attention"] * 2,
        "num_kv_shared_layers": 2, "intermediate_size": [48] * 4,
        "activation_sparsity_pattern": [0.5, 0.5, 0.0, 0.0], "laurel_rank": 4,
    },
    "zamba": {
        "num_hidden_layers": 4, "layers_block_type": ["linear_attention", "hybrid"] * 2,
        "mamba_dt_rank": 4, "attention_hidden_size": 64, "attention_head_dim": 16,
    },
    # the default has no sparse attention; a token sees two blocks of those of a row of 24
    "minimax_m3_vl_text": {
        "layer_types": ["full_attention", "minimax_m3_sparse"], "index_block_size": 4,
        "index_topk_blocks": 2, "index_local_blocks": 1,
    },
    # the default has no experts, or does not say how many are asked
    "deepseek_v2": {"num_experts_per_tok": 2},
    "dots1": {"num_experts_per_tok": 2, "n_routed_experts": 4, "n_shared_experts": 1},
    "gemma4_text": {
        "per_layer_config": {1: {"head_dim": 16}}, "enable_moe_block": True, "num_experts": 4,
        "top_k_experts": 2, "moe_intermediate_size": 24,
    },
    "zaya": {"num_experts_per_tok": 1, "router_hidden_size": 16},
    "longcat_flash": {"zero_expert_num": 2},
    # sizes that hang together
    "dots3_note_text": {
        "head_dim": 16,
        "per_layer_config": {2: {"num_attention_heads": 2, "num_key_value_heads": 2}},
    },
    "gemma4_unified_text": {"per_layer_config": {1: {"head_dim": 16}}},
    "deepseek_v4": {
        "num_key_value_heads": 1,
        "compress_rates": {"compressed_sparse_attention": 4, "heavily_compressed_attention": 8},
    },
    "falcon_h1": {"mamba_d_ssm": 64},
    "mamba2": {"num_heads": 8, "time_step_rank": 4},
    "nemotron": {"num_key_value_heads": 2},
    "moshi": {"audio_vocab_size": 50},
    "xlstm": {"hidden_size": 128, "embedding_dim": 128, "num_heads": 2},
    "dbrx": {
        # clip_qkv as in the published checkpoint: the default of the class fails
        "attn_config": {"rope_theta": 10000.0, "kv_n_heads": 2, "clip_qkv": 8.0},
        "ffn_config": {"moe_top_k": 2},
    },
    "blt": {
        "encoder_hash_byte_group_vocab": 50, "encoder_config": {"hidden_size_global": 32},
        "decoder_config": {"hidden_size_global": 32},
    },
    "qwen4_exp_text": {
        "hc_lowrank": 8, "ple_layer_ids": [1], "ple_embed_dim": 32, "ngram_vocab_size_base": 50,
        "make_ngram_vocab_size_divisible_by": 1, "split_ngram_parts": 1, "indexer_n_heads": 4,
        "indexer_kv_heads": 1, "indexer_head_dim": 8, "indexer_budget": 8,
        "indexer_compress_ratio": 2,
    },
    "nemotron_h": {"moe_latent_size": 16},
    # the head is never tied, whatever the default says; of the default's size are logits of 100
    "cpmant": {"tie_word_embeddings": False, "init_std": 0.02},
    # the class is an encoder, too
    "reformer": {
        "is_decoder": True, "axial_pos_embds": False, "attn_layers": ["local", "lsh"],
        "local_attn_chunk_length": 4, "lsh_attn_chunk_length": 4,
    },
}  # fmt: skip
"""What an architecture is given besides, where the common sizes make no model."""


def miniature(model_type):
    """Return a random model of a type, of some tens of thousands of weights."""
    model_class = getattr(transformers, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[model_type])
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(miniature_config(model_type, model_class))
    for parameter in model.parameters():
        if not parameter.any():  # what begins at zero lets no gradient through; nothing ends so
            torch.nn.init.normal_(parameter, std=0.02)
    return model


def miniature_config(model_type, model_class):
    """Return a small config; that of the text alone, where the type is of several modalities."""
    own = transformers.CONFIG_MAPPING[model_type]
    text = model_class.config_class
    config_class = text if text.model_type.endswith("_text") else own
    settings = _settings(config_class)
    for field, value in EXCEPTIONS.get(config_class.model_type, {}).items():
        within = isinstance(value, dict) and isinstance(settings.get(field), dict)
        settings[field] = {**settings[field], **value} if within else value
    return config_class(**settings)


def _settings(config_class):
    defaults = config_class().to_dict()
    settings = {
        field: value
        for value, fields in SIZES.items()
        for field in fields
        if field in defaults
        and (type(defaults[field]) is int or field.endswith("_id") or field.startswith("head_dim"))
    }
    if "kv_lora_rank" in defaults and "num_key_value_heads" in settings:
        # latent attention makes the keys of all heads from one
        settings["num_key_value_heads"] = settings["num_attention_heads"]
    settings |= _one_of_each(defaults)
    for field, part in config_class.sub_configs.items():
        if isinstance(defaults.get(field), dict) and hasattr(part, "sub_configs"):
            settings[field] = _settings(part)
    return settings


def _one_of_each(defaults):
    """Return the kinds of layers, each combination once, and how many layers these are."""
    kinds = {field: defaults[field] for field in KINDS_OF_LAYERS if defaults.get(field)}
    if not kinds:
        return {}
    combinations = list(dict.fromkeys(zip(*kinds.values(), strict=False)))
    combinations += combinations[-1:] * (2 - len(combinations))
    columns = zip(*combinations, strict=True)
    return {
        **dict(zip(kinds, map(list, columns), strict=True)),
        **({"num_hidden_layers": len(combinations)} if "num_hidden_layers" in defaults else {}),
    }
