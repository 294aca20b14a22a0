"""Every decoder that transformers holds is typed, adapted, trained, saved, reloaded and merged."""

import json
from importlib.metadata import version

import pytest
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as MODEL_TYPES

from tests.sweep.architectures import DECODERS, EXCLUDED, FAILURES, TOLERANCE, trial
from tests.sweep.records import RESULTS

SAMPLE = [
    # those of the paper's Table 6 that transformers holds
    "bloom", "falcon", "gemma", "llama", "mistral", "mixtral", "olmo", "phi", "qwen2", "qwen2_moe",
    "starcoder2",
    "gpt2", "gpt_neox", "opt",
    "cohere2", "deepseek_v2", "deepseek_v3", "deepseek_v32", "gemma3_text", "gemma4_text", "glm4",
    "gpt_oss", "llama4_text", "olmo2", "phi3", "qwen3", "qwen3_moe",
    # with state spaces, recurrences, convolutions, linear attention
    "falcon_h1", "granitemoehybrid", "jetmoe", "lfm2", "mamba", "qwen3_next",
]  # fmt: skip


@pytest.mark.parametrize("model_type", SAMPLE)
def test_a_decoder_is_typed_adapted_trained_saved_and_merged(model_type, tmp_path):
    if model_type not in MODEL_TYPES:
        pytest.skip(f"transformers {version('transformers')} does not hold it")
    trial(model_type, tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("model_type", sorted(MODEL_TYPES))
def test_every_decoder_is_typed_adapted_trained_saved_and_merged(
    model_type, tmp_path, record_property, request
):
    if model_type in EXCLUDED:
        pytest.skip(EXCLUDED[model_type])
    if model_type in FAILURES:
        request.applymarker(pytest.mark.xfail(reason=FAILURES[model_type], strict=True))
    seen = trial(model_type, tmp_path)
    record_property("adapters", seen.adapted)
    record_property("difference", f"{seen.difference:.0e}")
    record_property("stock_peft", "loads it" if seen.stock < TOLERANCE else "does not load it")
    record_property("layers", ", ".join(f"{kind} {n}" for kind, n in seen.types.items()))


def test_the_committed_table_has_every_model_type_and_nineteen_of_twenty_decoders_pass():
    result = json.loads((RESULTS / "architectures.json").read_text(encoding="utf-8"))
    if result["versions"]["transformers"] != version("transformers"):
        pytest.skip("the table is of another version of transformers")
    cases = result["cases"]
    assert cases.keys() == MODEL_TYPES.keys()
    passed = {name for name, case in cases.items() if case["outcome"] == "passed"}
    assert passed | FAILURES.keys() == set(DECODERS)
    assert len(passed) >= 0.95 * len(DECODERS)
    assert all(float(cases[name]["difference"]) < TOLERANCE for name in passed)
