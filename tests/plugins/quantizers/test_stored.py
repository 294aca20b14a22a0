"""Models that are stored quantized, opened by their libraries on the CPU, and trained beside."""

import json

import pytest
import torch

from luthier.core import load, train
from luthier.core.model.quantization import weight_count
from tests.plugins.quantizers.storing import CODEBOOK, GROUP, LENGTH, store

PACKAGES = {"gptq": ("gptqmodel", "gptq"), "awq": ("gptqmodel", "gptq"), "aqlm": ("aqlm", "aqlm")}
# of a layer of 128 inputs and outputs: codes, scales, zeros, the group of each input, the codebook
BITS = {
    "gptq": 4 + (16 + 4) / GROUP + 32 / 128,
    "awq": 4 + (16 + 4) / GROUP,
    "aqlm": 16 / LENGTH + 32 / 128 + 32 * CODEBOOK * LENGTH / 128**2,
}


@pytest.fixture(scope="module", params=["gptq", "awq", "aqlm", "fp8"])
def stored(request, tiny, tmp_path_factory):
    """The method, the folder of a model that is stored so, and the model that it stands for."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if request.param in PACKAGES:
        package, extra = PACKAGES[request.param]
        pytest.importorskip(package, reason=f'needs pip install "luthier[{extra}]"')
    folder = tmp_path_factory.mktemp(request.param)
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    store(model, AutoTokenizer.from_pretrained(tiny), request.param, folder)
    return request.param, folder, model


# the libraries, and what they bring, warn of how they use torch and of each other
pytestmark = pytest.mark.filterwarnings("ignore")


# scales are in half precision, and some kernels compute in it
def test_the_weights_are_those_that_were_stored(stored, logits_of, bits_of):
    method, folder, meant = stored
    opened = load(folder, ["model.family=tiny"]).model
    torch.testing.assert_close(logits_of(opened), logits_of(meant), rtol=0, atol=0.02)
    assert weight_count(opened) == sum(p.numel() for p in meant.parameters())
    if method in BITS:
        layer = opened.model.layers[0].self_attn.q_proj
        assert bits_of(layer, 128 * 128) == pytest.approx(BITS[method], rel=0.15)


def test_an_adapter_beside_them_learns_and_is_opened_as_it_was(stored, small_run, logits_of):
    _, folder, _ = stored
    run = train(
        small_run(
            model={"path": str(folder), "family": "tiny"},
            tuner={"name": "lora", "rank": 8},
            training={"max_steps": 20, "batch_size": 4, "log_every": 1, "learning_rate": 1e-2},
        )
    )
    losses = [json.loads(line)["loss"] for line in run.metrics.read_text().splitlines()]
    assert losses[-1] < losses[0] - 0.5
    first, second = (logits_of(load(run.path).model) for _ in range(2))
    assert torch.equal(first, second)


def test_codebooks_that_aqlm_has_no_gradient_of_on_a_cpu_are_refused():
    aqlm = pytest.importorskip("aqlm", reason='needs pip install "luthier[aqlm]"')
    from luthier.core import BadModel
    from luthier.plugins.quantizers.aqlm import Aqlm

    layer = aqlm.QuantizedLinear(16, 16, 8, 1, 1, 8, bias=False)
    adapter = torch.nn.Linear(16, 16)
    with pytest.raises(BadModel, match="no gradient for codebooks of 256 entries on a CPU"):
        Aqlm().patch_model(torch.nn.Sequential(layer, adapter), "adapted")
