"""Every tuner trains what it should and no more, goes on to the bit, and gives its model back."""

import json
import shutil
from typing import Any, NamedTuple, get_args

import pytest
import safetensors.torch
import torch
from peft import AutoPeftModelForCausalLM, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from luthier.core import BadModel, resume, train
from luthier.core.model.adapters import quiet_peft
from luthier.core.run.folder import RunFolder
from luthier.core.run.merging import merge
from luthier.plugins.families.tiny.making import tiny_model
from luthier.plugins.quantizers.bnb import SWITCH
from luthier.plugins.tuners.lora import Lora
from luthier.registry import Catalogue
from tests.plugins.watching import IDS, watched

ATTENTION = tuple(f"self_attn.{one}_proj" for one in "qkvo")
MLP = tuple(f"mlp.{one}_proj" for one in ("gate", "up", "down"))
LINEAR = ATTENTION + MLP
NORMS = ("input_layernorm", "post_attention_layernorm")
LAYERS = range(4)
"""The decoder layers of the tiny model."""


def inside(modules, *parameters, layers=LAYERS):
    """Return the full names of parameters of modules in decoder layers."""
    return {
        f"model.layers.{number}.{module}.{parameter}"
        for number in layers
        for module in modules
        for parameter in parameters
    }


def beside(modules, *parameters, layers=LAYERS):
    """Return the full names of what PEFT lays beside them."""
    return {f"base_model.model.{name}" for name in inside(modules, *parameters, layers=layers)}


def pairs(modules, **given):
    return beside(modules, "lora_A.default.weight", "lora_B.default.weight", **given)


def lora(**options):
    return {"name": "lora", "rank": 4, **options}


class Case(NamedTuple):
    """A tuner, and the full names of all that it changes."""

    tuner: Any
    changed: set[str]
    rate: float = 0.01
    model: str = "tiny"
    quantizer: str | None = None

    @property
    def whole(self):
        """Whether a whole model is saved."""
        return all(name.startswith("model.") for name in self.changed)


CASES = {
    "full": Case(
        "full",
        {"model.embed_tokens.weight", "model.norm.weight"} | inside(LINEAR + NORMS, "weight"),
        1e-3,
    ),
    "freeze": Case(
        {"name": "freeze", "layers": 1, "besides": ["norm"]},
        {"model.norm.weight"} | inside(LINEAR + NORMS, "weight", layers=[3]),
        1e-3,
    ),
    "bitfit": Case("bitfit", inside(ATTENTION, "bias"), 0.1, model="biased"),
    "bitfit of norms": Case(
        {"name": "bitfit", "norms": True}, {"model.norm.weight"} | inside(NORMS, "weight"), 0.1
    ),
    # of six layers the third and the last are new
    "llama-pro": Case("llama-pro", inside(LINEAR + NORMS, "weight", layers=[2, 5]), 3e-3),
    # head and embedding are one weight
    "lora": Case(
        lora(dropout=0.1, full=["head"]),
        {"base_model.model.model.embed_tokens.modules_to_save.default.weight"} | pairs(LINEAR),
    ),
    "rslora": Case(
        lora(rslora=True, init="gaussian", targets="mlp", layers=[-1]), pairs(MLP, layers=[3])
    ),
    "pissa": Case(lora(init="pissa", rank_pattern={"mlp": 2}), pairs(LINEAR)),
    "olora": Case(lora(init="olora", rslora=True, targets="attention"), pairs(ATTENTION)),
    "eva": Case(lora(init="eva", targets="mlp"), pairs(MLP)),
    "loftq": Case(lora(init="loftq"), pairs(LINEAR), quantizer="bnb"),
    "dora": Case(
        {"name": "dora", "rank": 4},
        pairs(LINEAR) | beside(LINEAR, "lora_magnitude_vector.default.weight"),
    ),
    "vera": Case(
        {"name": "vera", "rank": 16},
        beside(LINEAR, "vera_lambda_b.default", "vera_lambda_d.default"),
        0.1,
    ),
    "oft": Case("oft", beside(LINEAR, "oft_R.default.weight")),
    # PEFT tries to compile a kernel for each layer
    "boft": Case(
        {"name": "boft", "targets": "mlp-down", "layers": [-1]},
        beside(["mlp.down_proj"], "boft_R.default", "boft_s.default", layers=[3]),
        0.1,
    ),
    "adalora": Case(
        {"name": "adalora", "rank": 2, "initial_rank": 4},
        beside(LINEAR, "lora_A.default", "lora_B.default", "lora_E.default"),
    ),
    "ia3": Case(
        "ia3",
        beside(["self_attn.k_proj", "self_attn.v_proj", "mlp.down_proj"], "ia3_l.default"),
        0.1,
    ),
    "prompt-tuning": Case(
        {"name": "prompt-tuning", "tokens": 4}, {"prompt_encoder.default.embedding.weight"}
    ),
}
UNRUN = {"unsloth": "its kernels need a GPU"}


def test_every_tuner_and_every_way_to_begin_is_run_here():
    tuners = [{"name": one} if isinstance(one, str) else one for one, *_ in CASES.values()]
    run = {one["name"] for one in tuners}
    assert run.isdisjoint(UNRUN)
    assert run | set(UNRUN) == set(Catalogue.installed().names("tuners"))
    begun = {one.get("init", "default") for one in tuners if one["name"] == "lora"}
    assert begun == set(get_args(Lora.model_fields["init"].annotation))


@pytest.fixture(scope="module")
def contents(module_run, tmp_path_factory):
    """Return the contents of a case's run file, and write the models that they name."""

    def of(case, **changes):
        model = {"path": "tiny"}
        if case.model == "biased":
            model = {"path": str(biased_model(tmp_path_factory)), "family": "tiny"}
        settings = {"max_steps": 6, "batch_size": 4, "log_every": 3, "learning_rate": case.rate}
        if case.quantizer:
            changes["quantizer"] = case.quantizer
        return module_run(
            model=model, tuner=case.tuner, training=settings, validation=0.25,
            evaluation={"batch_size": 3}, **changes,
        )  # fmt: skip

    return of


def biased_model(tmp_path_factory):
    """Write the tiny model with bias terms of zero in its attention: it answers as it did."""
    folder = tmp_path_factory.mktemp("biased")
    AutoModelForCausalLM.from_pretrained(tiny_model(), attention_bias=True).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model()).save_pretrained(folder)
    return folder


def weights_of(folder):
    (file,) = folder.model.glob("*model.safetensors")
    return safetensors.torch.load_file(file)


def held_out_loss(folder):
    rows = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    return [row for row in rows if "validation" in row][-1]["loss"]


@pytest.fixture(scope="module")
def control(contents, tmp_path_factory):
    """The held-out loss of a model that has not learned: the rate is next to nothing."""
    output = str(tmp_path_factory.mktemp("control") / "run")
    return held_out_loss(train(contents(CASES["dora"]._replace(rate=1e-12), output=output)))


@pytest.fixture(scope="module", params=CASES)
def finished(request, contents, tmp_path_factory):
    """A finished run of a tuner, and what was seen of it."""
    case = CASES[request.param]
    if case.quantizer:
        pytest.importorskip("bitsandbytes", reason='needs pip install "luthier[bnb]"')
    output = str(tmp_path_factory.mktemp("runs") / "run")
    return case, watched(contents(case, output=output, checkpoints={"every": 3}))


def test_a_tuner_beats_a_model_that_has_not_learned_on_rows_it_has_not_seen(finished, control):
    _, seen = finished
    assert held_out_loss(seen.folder) < control - 0.005


def test_exactly_what_should_be_trained_is_changed(finished):
    case, seen = finished
    assert seen.trained == case.changed
    # all ranks of a layer may be cut: their numbers are the zeros again that they began as
    cut = {name for name in case.changed if "lora_E" in name and not seen.after[name].any()}
    assert seen.changed == case.changed - cut
    assert len(cut) < len(LINEAR) * len(LAYERS)


def test_a_run_that_is_gone_on_with_ends_with_the_same_weights(finished, tmp_path):
    folder = finished[1].folder
    again = RunFolder(tmp_path / "run")
    shutil.copytree(folder.path, again.path)
    shutil.rmtree(again.model)
    shutil.rmtree(again.checkpoints / "checkpoint-6")
    resume(again.path)
    found, expected = weights_of(again), weights_of(folder)
    assert found.keys() == expected.keys()
    assert all(found[name].equal(expected[name]) for name in expected)


def stock(case, folder):
    """Return what was saved as stock libraries load it."""
    if case.whole:
        return AutoModelForCausalLM.from_pretrained(folder)
    if not case.quantizer:
        return AutoPeftModelForCausalLM.from_pretrained(folder)
    few = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )  # fmt: skip
    base = AutoModelForCausalLM.from_pretrained(tiny_model(), quantization_config=few)
    for layer in base.modules():  # else some CPUs compute it in bfloat16
        if hasattr(layer, SWITCH):
            setattr(layer, SWITCH, False)
    return PeftModel.from_pretrained(base, folder)


def test_stock_libraries_load_what_was_saved_with_the_same_logits(finished):
    case, seen = finished
    with torch.no_grad(), quiet_peft():
        found = stock(case, seen.folder.model)(input_ids=IDS).logits
    torch.testing.assert_close(found, seen.logits, atol=1e-4, rtol=0)


def test_what_is_merged_answers_as_the_adapter_beside_its_base(finished, tmp_path):
    case, seen = finished
    path = seen.folder.path
    if case.whole or case is CASES["prompt-tuning"]:
        with pytest.raises(BadModel, match=r"nothing to merge|no change of the model's weights"):
            merge(path, tmp_path / "merged")
        assert not (tmp_path / "merged").exists()
        return
    found = merge(path, tmp_path / "merged", prompts=2)
    assert found.difference < 1e-4
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")(input_ids=IDS).logits
    torch.testing.assert_close(logits, seen.logits, atol=1e-4, rtol=0)
