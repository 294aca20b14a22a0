"""(IA)3: which layers it scales where nothing is said of them."""

import pytest

from luthier.core import BadModel
from luthier.core.model.layers import LayerMap
from luthier.core.model.vocabulary import Vocabulary
from luthier.plugins.tuners.ia3 import Ia3
from tests.sweep.miniatures import miniature


def scaled(model_type, **options):
    model = miniature(model_type)
    layers = LayerMap.of(model)
    config = Ia3(**options).config_for(model, layers, Vocabulary((), (), 0, 0))
    return tuple({str(layers.types[name]) for name in names} for names in (
        config.target_modules, config.feedforward_modules
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("model_type", "outputs", "inputs"),
    [
        ("llama", {"attention-key", "attention-value"}, {"mlp-down"}),
        ("gpt2", {"attention-query-key-value"}, {"mlp-down"}),
        ("mixtral", {"attention-key", "attention-value"}, set()),
        ("deepseek_v3", {"attention-key-value-up"}, {"mlp-down", "shared-expert-down"}),
    ],
)
def test_by_default_it_scales_keys_values_and_mlps_or_what_these_are_in(
    model_type, outputs, inputs
):
    assert scaled(model_type) == (outputs | inputs, inputs)


def test_what_is_named_is_not_replaced():
    with pytest.raises(BadModel, match="'attention-key' matches no layer"):
        scaled("gpt2", targets=["attention-key"])
