"""The decoder layers of a model: found by their number, beside lists that are no such."""

import pytest

from luthier.core import BadModel
from luthier.plugins.tuners.blocks import blocks_of
from tests.sweep.miniatures import miniature


def test_they_are_those_of_the_text_beside_an_encoder_of_images():
    model = miniature("git")
    layers = model.git.encoder.layer
    assert blocks_of(model).modules is layers
    assert len(model.git.image_encoder.vision_model.encoder.layers) == len(layers)


@pytest.mark.parametrize(
    ("model_type", "said"),
    [
        ("blt", "holds no decoder layers by number"),
        ("xlm", r"parts its decoder layers among transformer.attentions and transformer.ffns"),
    ],
)
def test_a_model_whose_layers_cannot_be_told_apart_is_refused_with_the_way_out(model_type, said):
    with pytest.raises(BadModel, match=f"{said}.*such as `lora`, without `layers`"):
        blocks_of(miniature(model_type))
