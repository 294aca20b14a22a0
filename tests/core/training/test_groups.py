"""Learning rates of single layers, and which parameters decay, whatever the optimizer is."""

import pytest
import torch

from luthier.core import LuthierError, train
from luthier.core.errors import BadModel
from luthier.core.training.groups import decays

PLAIN = """
from luthier.core import Plugin, hookimpl

class Plain(Plugin):
    '''Plain gradient descent, at one rate.'''

    @hookimpl
    def build_optimizer(self, job):
        import torch

        return torch.optim.SGD(job.opened.model.parameters(), lr=job.run.training.learning_rate)

ENTRY_POINTS = {"luthier.optimizers": {"plain": Plain}}
"""


@pytest.fixture
def built(job_of):
    """Return the rate and the decay of each parameter of a run, by name."""

    def of(contents):
        job = job_of(contents)
        names = {p: name for name, p in job.opened.model.named_parameters()}
        return {
            names[p]: (group["lr"], group["weight_decay"])
            for group in job.optimizer.param_groups
            for p in group["params"]
        }

    return of


def run_of(small_run, rates, **changes):
    training = {"learning_rate": 1e-3, "weight_decay": 0.1, "max_steps": 1}
    return small_run(training=training, schedule={"learning_rates": rates}, **changes)


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "badam"])
def test_layers_have_the_rates_of_their_types_and_the_last_word_holds(small_run, built, optimizer):
    rates = {"attention": 2e-3, "embedding": 1e-5, "q_proj": 3e-3}
    found = built(run_of(small_run, rates, optimizer=optimizer))
    layer = "model.layers.0.self_attn"
    assert found[f"{layer}.q_proj.weight"] == (3e-3, 0.1)
    assert found[f"{layer}.k_proj.weight"] == (2e-3, 0.1)
    assert found["model.embed_tokens.weight"] == (1e-5, 0.1)
    assert found["model.layers.0.mlp.up_proj.weight"] == (1e-3, 0.1)
    assert found["model.norm.weight"] == (1e-3, 0.0)  # what is no matrix does not decay


def test_an_adapter_has_the_rate_of_the_layer_that_it_lies_beside(small_run, built):
    optimizer = {"name": "lora-plus", "ratio": 4}
    found = built(run_of(small_run, {"mlp": 2e-3}, tuner="lora", optimizer=optimizer))
    layer = "base_model.model.model.layers.0"
    rates = {name: rate for name, (rate, _) in found.items()}
    assert rates[f"{layer}.mlp.up_proj.lora_A.default.weight"] == 2e-3
    assert rates[f"{layer}.mlp.up_proj.lora_B.default.weight"] == 8e-3
    assert rates[f"{layer}.self_attn.q_proj.lora_A.default.weight"] == 1e-3
    assert rates[f"{layer}.self_attn.q_proj.lora_B.default.weight"] == 4e-3


def test_a_word_for_no_layer_is_refused_with_the_words_that_there_are(small_run):
    with pytest.raises(BadModel, match=r"'atention' matches no layer.*Did you mean 'attention'"):
        train(run_of(small_run, {"atention": 2e-3}))


def test_an_optimizer_that_knows_no_rates_of_layers_is_refused(small_run, tmp_path):
    (tmp_path / "plain.py").write_text(PLAIN)
    contents = run_of(
        small_run, {"mlp": 2e-3}, optimizer="plain", plugins=[str(tmp_path / "plain.py")]
    )
    with pytest.raises(LuthierError, match=r"SGD has one learning rate .*parameter_groups"):
        train(contents)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("model.layers.0.mlp.up_proj.weight", (8, 4), True),
        ("model.layers.0.mlp.experts.gate_up_proj", (3, 8, 4), True),
        ("model.layers.0.mlp.experts.gate_up_proj_bias", (3, 8), False),
        ("model.layers.0.input_layernorm.weight", (8,), False),
        ("model.layers.0.mlp.up_proj.lora_A.default.weight", (1, 4), True),
    ],
)
def test_matrices_decay_and_no_biases_even_of_stacked_experts(name, shape, expected):
    assert decays(name, torch.nn.Parameter(torch.ones(shape))) == expected


@pytest.mark.parametrize("tuner", ["ia3", "boft"])
def test_scales_that_begin_at_one_do_not_decay(small_run, built, tuner):
    found = built(run_of(small_run, {}, tuner=tuner))
    decay = {name: one for name, (_, one) in found.items() if "ia3_l" in name or "boft_s" in name}
    assert decay
    assert set(decay.values()) == {0.0}


@pytest.mark.parametrize(
    ("rates", "tuner"),
    [
        ({"mlp": 1e-2}, {"name": "lora", "targets": "attention"}),
        ({"embedding": 1e-2}, "lora"),
    ],
)
def test_a_rate_for_layers_of_which_nothing_is_trained_is_refused(small_run, rates, tuner):
    (word,) = rates
    with pytest.raises(BadModel, match=f"a rate for '{word}', and nothing is trained"):
        train(run_of(small_run, rates, tuner=tuner))


@pytest.mark.parametrize("word", ["head", "embedding", "lm_head"])
def test_a_head_that_is_the_embedding_has_its_rate_by_either_name(small_run, built, word):
    found = built(run_of(small_run, {word: 1e-2}, tuner="full"))
    assert found["model.embed_tokens.weight"] == (1e-2, 0.1)
