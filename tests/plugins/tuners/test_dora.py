"""DoRA: its forward pass is its paper's, and its lengths are in float32."""

import pytest
import torch

from luthier.core.model.layers import LayerMap
from luthier.core.model.vocabulary import Vocabulary
from luthier.plugins.tuners.dora import Dora
from tests.sweep.miniatures import miniature


def adapted(model, **options):
    return Dora(**options).attach_adapter(
        model=model, layers=LayerMap.of(model), vocabulary=Vocabulary((), (), 0, 0), adapter=None
    )


@pytest.mark.parametrize("rslora", [False, True])
def test_the_forward_pass_is_the_formula_of_the_paper(rslora):
    model = adapted(miniature("llama"), rank=4, alpha=6, rslora=rslora)
    layer = model.base_model.model.model.layers[0].mlp.down_proj
    down_RI, up_OR = (getattr(layer, name)["default"].weight for name in ("lora_A", "lora_B"))
    lengths_O = layer.lora_magnitude_vector["default"].weight
    with torch.no_grad():
        up_OR.normal_(std=0.1)
        lengths_O.mul_(1 + torch.rand_like(lengths_O))
    weight_OI = layer.get_base_layer().weight
    # equation 5: m (W + B A) / ||W + B A||, the norm that of each output's row
    scale = 6 / 4**0.5 if rslora else 6 / 4
    direction_OI = weight_OI + scale * up_OR @ down_RI
    expected_OI = lengths_O[:, None] * direction_OI / direction_OI.norm(dim=1, keepdim=True)
    inputs_TI = torch.randn(5, weight_OI.shape[1])
    found_TO = layer(inputs_TI)
    torch.testing.assert_close(found_TO, inputs_TI @ expected_OI.T, atol=1e-5, rtol=1e-5)


def test_it_begins_as_no_change_and_the_lengths_are_those_of_the_rows():
    model = adapted(miniature("llama"))
    layer = model.base_model.model.model.layers[1].self_attn.q_proj
    lengths_O = layer.lora_magnitude_vector["default"].weight
    torch.testing.assert_close(lengths_O, layer.get_base_layer().weight.norm(dim=1))


def test_the_lengths_stay_in_float32_where_all_else_is_bfloat16(small_run):
    from luthier.core.model.opening import locate, model_spec, open_model
    from luthier.core.run.program import settled

    contents = small_run(
        model={"path": "tiny", "dtype": "bfloat16"}, tuner="dora", training={"precision": "pure"}
    )
    opened = open_model(locate(model_spec(settled(contents), training=True)), training=True)
    trained = {n: p for n, p in opened.model.named_parameters() if p.requires_grad}
    kinds = {("magnitude" in name, parameter.dtype) for name, parameter in trained.items()}
    assert kinds == {(True, torch.float32), (False, torch.bfloat16)}
    output = opened.model(input_ids=torch.arange(9)[None])
    output.logits.float().sum().backward()
    assert all(parameter.grad is not None for parameter in trained.values())
