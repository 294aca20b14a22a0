"""Models that are stored quantized, opened by their libraries on the CPU, and trained beside."""

import json

import pytest
import torch

from luthier.core import load, train
from luthier.core.model.quantization import weight_count
from luthier.core.runfile import read_tree
from tests.plugins.quantizers.storing import CODE_BITS, GROUP, LENGTH, store, store_experts
from tests.sweep.stored import STORED

PACKAGES = {
    "gptq": ("gptqmodel", "gptq"), "awq": ("gptqmodel", "gptq"),
    "aqlm": ("aqlm", "aqlm"), "aqlm-256": ("aqlm", "aqlm"),
}  # fmt: skip
# of a layer of 128 inputs and outputs: codes, scales, zeros, the group of each input, the codebook
BITS = {
    "gptq": 4 + (16 + 4) / GROUP + 32 / 128,
    "awq": 4 + (16 + 4) / GROUP,
    "aqlm": 16 / LENGTH + 32 / 128 + 32 * 2 ** CODE_BITS["aqlm"] * LENGTH / 128**2,
    "aqlm-256": 8 / LENGTH + 32 / 128 + 32 * 2 ** CODE_BITS["aqlm-256"] * LENGTH / 128**2,
}


@pytest.fixture(scope="module", params=["gptq", "awq", "aqlm", "aqlm-256", "fp8"])
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


@pytest.mark.parametrize("bits", CODE_BITS.values())
@pytest.mark.parametrize("rows", [2, 30])
def test_a_layer_of_aqlm_is_right_on_a_cpu_has_a_gradient_and_is_put_back(bits, rows):
    aqlm = pytest.importorskip("aqlm", reason='needs pip install "luthier[aqlm]"')
    from luthier.plugins.quantizers.aqlm import Aqlm

    torch.manual_seed(0)
    layer = aqlm.QuantizedLinear(128, 64, LENGTH, 1, 1, bits, bias=True, dtype=torch.float32)
    for tensor in (layer.codebooks, layer.scales, layer.bias):
        tensor.data.normal_()
    entries = torch.randint(0, 2**bits, layer.codes.shape)
    held = entries.short() if bits > 8 else entries.to(torch.uint8).view(torch.int8)
    layer.codes.data = held
    weight = layer.codebooks[0, entries[..., 0], 0].reshape(64, 128) * layer.scales.reshape(64, 1)
    own = layer.forward
    undo = Aqlm().patch_model(torch.nn.Sequential(layer), "built")
    inputs = torch.randn(rows, 128, requires_grad=True)
    output = layer(inputs)
    torch.testing.assert_close(output, inputs @ weight.T + layer.bias, rtol=0, atol=1e-3)
    output.sum().backward()
    torch.testing.assert_close(inputs.grad, weight.sum(0).expand(rows, -1), rtol=0, atol=1e-3)
    undo()
    assert layer.forward == own


# --- gpt-oss -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def oss(tiny, tmp_path_factory):
    """The folder of a small gpt-oss with experts in MXFP4, and the model that it stands for."""
    from transformers import AutoTokenizer, GptOssConfig, GptOssForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    torch.manual_seed(0)
    config = GptOssConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=16, num_local_experts=4,
        num_experts_per_tok=2, sliding_window=16, eos_token_id=2, pad_token_id=3,
        architectures=["GptOssForCausalLM"],
    )  # fmt: skip
    model = GptOssForCausalLM(config)
    folder = tmp_path_factory.mktemp("gpt-oss")
    store_experts(model, tokenizer, folder)
    return folder, model


def test_experts_in_mxfp4_are_told_by_the_config_and_held_whole(oss, logits_of):
    folder, meant = oss
    opened = load(folder, ["template=chatml"]).model
    assert {p.dtype for p in opened.parameters()} == {torch.float32}
    for name, parameter in meant.named_parameters():
        assert torch.equal(opened.get_parameter(name), parameter), name
    torch.testing.assert_close(logits_of(opened), logits_of(meant), rtol=0, atol=1e-4)


def test_an_adapter_beside_experts_of_mxfp4_learns_and_is_opened_as_it_was(
    oss, small_run, logits_of
):
    run = train(
        small_run(
            model={"path": str(oss[0])},
            tuner={"name": "lora", "rank": 8},
            template="chatml",
            training={"max_steps": 20, "batch_size": 4, "log_every": 1, "learning_rate": 1e-2},
        )
    )
    assert read_tree(run.run_file).at(("quantizer", "name")).value == "mxfp4"
    losses = [json.loads(line)["loss"] for line in run.metrics.read_text().splitlines()]
    assert losses[-1] < losses[0] - 0.5
    first, second = (logits_of(load(run.path).model) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("method", ["fp8", "mxfp4"])
def test_what_is_made_whole_as_it_is_read_is_saved_so(method, tmp_path, logits_of):
    from transformers import AutoModelForCausalLM

    model = load(str(STORED[method](tmp_path).path), ["template=chatml"]).model
    model.save_pretrained(tmp_path / "whole")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "whole")
    assert torch.equal(logits_of(again), logits_of(model))
