"""Every tuner trains what it should and no more, goes on to the bit, and gives its model back."""

import json
import shutil

import pytest
import safetensors.torch
import torch
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM

from luthier.core import BadModel, resume, train
from luthier.core.model import opening
from luthier.core.model.adapters import quiet_peft
from luthier.core.run.folder import RunFolder
from luthier.core.run.merging import merge

IDS = torch.arange(40)[None]


def lora(**options):
    return {"name": "lora", "rank": 4, **options}


# each tuner with the ends of the names of what it trains, None for all of a block; and its rate
TUNERS = {
    "full": ("full", {"*"}),
    "freeze": ({"name": "freeze", "layers": 1, "besides": ["norm"]}, {"layers.3.*", "model.norm"}),
    "bitfit": (
        {"name": "bitfit", "norms": True}, {"norm", "input_layernorm", "post_attention_layernorm"},
    ),
    "llama-pro": ("llama-pro", {"layers.2.*", "layers.5.*"}),
    "lora": (lora(dropout=0.1, full=["head"]), {"lora_A", "lora_B", "lm_head", "embed_tokens"}),
    "rslora": (
        lora(rslora=True, init="gaussian", targets="mlp", layers=[-1]), {"lora_A", "lora_B"},
    ),
    "pissa": (lora(init="pissa", rank_pattern={"mlp": 2}), {"lora_A", "lora_B"}),
    "olora": (lora(init="olora", rslora=True, targets="attention"), {"lora_A", "lora_B"}),
    "eva": (lora(init="eva", targets="mlp"), {"lora_A", "lora_B"}),
    "dora": ({"name": "dora", "rank": 4}, {"lora_A", "lora_B", "lora_magnitude_vector"}),
    "vera": ({"name": "vera", "rank": 16}, {"vera_lambda_b", "vera_lambda_d"}),
    "oft": ("oft", {"oft_R"}),
    # PEFT tries to compile a kernel for each layer
    "boft": ({"name": "boft", "targets": "mlp-down", "layers": [-1]}, {"boft_R", "boft_s"}),
    "adalora": (
        {"name": "adalora", "rank": 2, "initial_rank": 4}, {"lora_A", "lora_B", "lora_E"},
    ),
    "ia3": ("ia3", {"ia3_l"}),
    "prompt-tuning": ({"name": "prompt-tuning", "tokens": 4}, {"prompt_encoder"}),
}  # fmt: skip
WHOLE = {"full", "freeze", "bitfit", "llama-pro"}
RATES = {
    "full": 1e-3, "freeze": 1e-3, "bitfit": 0.1, "llama-pro": 3e-3, "vera": 0.1, "ia3": 0.1,
    "boft": 0.1,
}  # fmt: skip


def contents(module_run, name, rate=None, **changes):
    return module_run(
        tuner=TUNERS[name][0],
        training={
            "max_steps": 6, "batch_size": 4, "log_every": 3,
            "learning_rate": rate or RATES.get(name, 0.01),
        },
        **{"validation": 0.25, "evaluation": {"batch_size": 3}, **changes},
    )  # fmt: skip


def weights_of(folder):
    (file,) = folder.model.glob("*model.safetensors")
    return safetensors.torch.load_file(file)


def held_out_loss(folder):
    rows = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    return [row for row in rows if "validation" in row][-1]["loss"]


@pytest.fixture(scope="module")
def control(module_run, tmp_path_factory):
    """The held-out loss of a model that has not learned: the rate is next to nothing."""
    output = str(tmp_path_factory.mktemp("control") / "run")
    return held_out_loss(train(contents(module_run, "dora", rate=1e-12, output=output)))


@pytest.fixture(scope="module", params=TUNERS)
def finished(request, module_run, tmp_path_factory):
    """A finished run of a tuner, what changed in it, and the logits that it ended with."""
    seen = {}
    opened, unpatch = opening.open_model, opening.OpenModel.unpatch

    def opening_model(*args, **settings):
        found = opened(*args, **settings)
        seen["before"] = {n: p.detach().clone() for n, p in found.model.named_parameters()}
        return found

    def unpatching(found):
        own = dict(found.model.named_parameters())
        seen["trained"] = {n for n, p in own.items() if p.requires_grad}
        seen["changed"] = {n for n, p in own.items() if not p.equal(seen["before"][n])}
        unpatch(found)
        with torch.no_grad():
            seen["logits"] = found.model.eval()(input_ids=IDS).logits

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "open_model", opening_model)
        patch.setattr(opening.OpenModel, "unpatch", unpatching)
        output = str(tmp_path_factory.mktemp("runs") / "run")
        folder = train(contents(module_run, request.param, output=output, checkpoints={"every": 3}))
    return request.param, folder, seen


def test_a_tuner_beats_a_model_that_has_not_learned_on_rows_it_has_not_seen(finished, control):
    _, folder, _ = finished
    assert held_out_loss(folder) < control - 0.005


def test_exactly_what_should_be_trained_is_changed(finished):
    name, _, seen = finished
    wanted = TUNERS[name][1]
    assert seen["changed"] <= seen["trained"]
    # a rank that is cut stays at the zero that it begins as
    assert {one for one in seen["trained"] - seen["changed"] if "lora_E" not in one} == set()

    def expects(parameter):
        parts = parameter.split(".")
        return "*" in wanted or any(
            f".{one[:-1]}" in f".{parameter}" if one.endswith("*") else _has(parts, one.split("."))
            for one in wanted
        )

    assert all(map(expects, seen["changed"]))
    if name in WHOLE:
        assert seen["changed"] == {one for one in seen["before"] if expects(one)}
    else:
        assert {part for one in seen["changed"] for part in wanted if part in one} >= wanted - {
            "lm_head", "embed_tokens",
        }  # fmt: skip


def _has(parts, wanted):
    return any(parts[n : n + len(wanted)] == wanted for n in range(len(parts)))


def test_a_run_that_is_gone_on_with_ends_with_the_same_weights(finished, tmp_path):
    _, folder, _ = finished
    again = RunFolder(tmp_path / "run")
    shutil.copytree(folder.path, again.path)
    shutil.rmtree(again.model)
    shutil.rmtree(again.checkpoints / "checkpoint-6")
    resume(again.path)
    found, expected = weights_of(again), weights_of(folder)
    assert found.keys() == expected.keys()
    assert all(found[name].equal(expected[name]) for name in expected)


def test_stock_libraries_load_what_was_saved_with_the_same_logits(finished):
    name, folder, seen = finished
    stock = AutoModelForCausalLM if name in WHOLE else AutoPeftModelForCausalLM
    with torch.no_grad(), quiet_peft():
        found = stock.from_pretrained(folder.model)(input_ids=IDS).logits
    torch.testing.assert_close(found, seen["logits"], atol=1e-4, rtol=0)


def test_what_is_merged_answers_as_the_adapter_beside_its_base(finished, tmp_path):
    name, folder, seen = finished
    if name in WHOLE or name == "prompt-tuning":
        with pytest.raises(BadModel, match=r"nothing to merge|no change of the model's weights"):
            merge(folder.path, tmp_path / "merged")
        assert not (tmp_path / "merged").exists()
        return
    found = merge(folder.path, tmp_path / "merged", prompts=2)
    assert found.difference < 1e-4
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")(input_ids=IDS).logits
    torch.testing.assert_close(logits, seen["logits"], atol=1e-4, rtol=0)
