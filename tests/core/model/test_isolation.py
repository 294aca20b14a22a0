"""Models whose config tells that sequences of one row reach each other."""

import pytest
import transformers

from luthier.core.model.isolation import STATEFUL_LAYERS, WITH_STATE_UNLESS_TOLD, leak_of


@pytest.mark.parametrize("named", sorted(WITH_STATE_UNLESS_TOLD))
def test_a_config_that_lists_no_layers_is_judged_by_its_type(named):
    assert "carry a state" in leak_of({"model_type": named})
    assert leak_of({"model_type": named, "layer_types": ["full_attention"]}) is None


@pytest.mark.parametrize("named", sorted(WITH_STATE_UNLESS_TOLD - {"lfm2"}))
def test_what_transformers_makes_of_such_a_config_has_layers_that_remember(named):
    config = transformers.AutoConfig.for_model(named).get_text_config()
    assert not STATEFUL_LAYERS.isdisjoint(config.layer_types)


def test_the_text_model_of_several_parts_is_asked():
    inner = {"model_type": "qwen3_5_text", "full_attention_interval": 4}
    assert "carry a state" in leak_of({"model_type": "qwen3_5", "text_config": inner})
    assert leak_of({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}}) is None
