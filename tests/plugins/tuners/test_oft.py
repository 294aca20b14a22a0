"""OFT: a layer's inputs are rotated by Cayley's form of what is trained, or by its series."""

import pytest
import torch

from luthier.core import BadModel
from luthier.core.model.layers import LayerMap
from luthier.core.model.vocabulary import Vocabulary
from luthier.plugins.tuners.boft import Boft
from luthier.plugins.tuners.oft import Oft
from tests.sweep.miniatures import miniature

SIZE = 8
"""Of a block; the layers have 32 inputs or 48."""


OLD = Vocabulary((), (), 0, 0)


def adapted(**options):
    model = miniature("llama")
    return Oft(block_size=SIZE, **options).attach_adapter(
        model=model, layers=LayerMap.of(model), vocabulary=OLD, adapter=None
    )


def skew(values_BN):
    """Return skew-symmetric matrices of what stands above their diagonals, row by row."""
    rows, columns = torch.triu_indices(SIZE, SIZE, 1)
    square_BSS = torch.zeros(len(values_BN), SIZE, SIZE)
    square_BSS[:, rows, columns] = values_BN
    return square_BSS - square_BSS.mT


def cayley(q_BSS):
    """Return (1 - Q) (1 + Q)^-1."""
    one_SS = torch.eye(SIZE)
    return (one_SS - q_BSS) @ torch.linalg.inv(one_SS + q_BSS)


def neumann(q_BSS):
    """Return (1 + Q) (1 + Q + Q^2 + Q^3): the inverse of 1 - Q in Cayley's form, cut off."""
    one_SS = torch.eye(SIZE)
    powers = [torch.matrix_power(q_BSS, n) for n in range(4)]
    return (one_SS + q_BSS) @ torch.stack(powers).sum(0)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("form", [cayley, neumann])
def test_the_forward_pass_and_what_is_merged_are_the_formula_of_the_paper(form, shared):
    model = adapted(shared=shared, neumann=form is neumann)
    layer = model.base_model.model.model.layers[0].mlp.down_proj
    values_BN = layer.oft_R["default"].weight
    assert values_BN.shape == (1 if shared else 48 // SIZE, SIZE * (SIZE - 1) // 2)
    torch.nn.init.normal_(values_BN, std=0.1)
    rotations_BSS = form(skew(values_BN.detach())).expand(48 // SIZE, SIZE, SIZE)
    weight_OI = layer.get_base_layer().weight
    inputs_TI = torch.randn(5, 48)
    expected_TO = inputs_TI @ torch.block_diag(*rotations_BSS) @ weight_OI.T
    torch.testing.assert_close(layer(inputs_TI), expected_TO, atol=1e-5, rtol=1e-5)
    merged = model.merge_and_unload().model.layers[0].mlp.down_proj
    torch.testing.assert_close(merged(inputs_TI), expected_TO, atol=1e-5, rtol=1e-5)


def test_cayleys_form_is_a_rotation_and_its_series_is_nearly_one():
    model = {neumann: adapted(neumann=neumann) for neumann in (False, True)}
    distance = {}
    for series, one in model.items():
        rotation = one.base_model.model.model.layers[0].self_attn.q_proj.oft_R["default"]
        torch.manual_seed(0)
        torch.nn.init.normal_(rotation.weight, std=0.1)
        r_II = rotation.get_weight()
        distance[series] = (r_II @ r_II.T - torch.eye(32)).abs().max().item()
    assert distance[False] < 1e-5
    assert 1e-4 < distance[True] < 0.1


@pytest.mark.parametrize("model_type", ["llama", "gpt2"])
@pytest.mark.parametrize("kind", [Oft, Boft])
def test_blocks_that_do_not_fill_a_layer_are_refused_with_the_sizes_that_do(kind, model_type):
    model = miniature(model_type)
    layers = LayerMap.of(model)
    with pytest.raises(BadModel, match=r"`block_size: 5` makes no whole.*32 inputs.*2, 4, 8, 16"):
        kind(block_size=5, targets="attention").check_layers(
            model=model, layers=layers, vocabulary=OLD
        )
    kind(block_size=8, targets="attention").check_layers(model=model, layers=layers, vocabulary=OLD)
