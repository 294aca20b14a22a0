"""LoRA+: its steps are AdamW's at a rate for each of the two matrices, and one for embeddings."""

from collections import Counter, defaultdict

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from luthier.plugins.families.tiny.making import tiny_model
from tests.plugins.watching import watched

STEPS, DECAY, EPS = 4, 0.1, 1e-8
FIRST, SECOND = 0.9, 0.99
RATES = {"lora_A": 1e-3, "lora_B": 16e-3, "lora_embedding_A": 5e-4, "lora_embedding_B": 5e-4}


@pytest.fixture
def untied(tmp_path):
    """The folder of a small model whose embedding an adapter may lie beside."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_model())
    config = AutoConfig.from_pretrained(
        tiny_model(), tie_word_embeddings=False, num_hidden_layers=1, hidden_size=32,
        intermediate_size=48, head_dim=8,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "untied")
    tokenizer.save_pretrained(tmp_path / "untied")
    return str(tmp_path / "untied")


@pytest.fixture
def gradients(monkeypatch):
    """Note the gradients that AdamW is given, by parameter, one for each step."""
    seen = defaultdict(list)
    step = torch.optim.AdamW.step

    def stepping(self, *args, **settings):
        for group in self.param_groups:
            for parameter in group["params"]:
                seen[parameter].append(parameter.grad.clone())
        return step(self, *args, **settings)

    monkeypatch.setattr(torch.optim.AdamW, "step", stepping)
    return seen


def replayed(begun, gradients, rate):
    """Return what AdamW makes of a matrix, by algorithm 2 of its paper, in float64."""
    weights, m, v = begun.double(), 0.0, 0.0
    for t, gradient in enumerate(gradients, start=1):
        g = gradient.double()
        m, v = FIRST * m + (1 - FIRST) * g, SECOND * v + (1 - SECOND) * g**2
        direction = (m / (1 - FIRST**t)) / ((v / (1 - SECOND**t)).sqrt() + EPS)
        weights = weights - rate * (direction + DECAY * weights)
    return weights


def test_each_matrix_goes_as_adamw_takes_it_at_the_rate_of_its_kind(small_run, gradients, untied):
    contents = small_run(
        model={"path": untied, "family": "tiny"},
        tuner={"name": "lora", "rank": 4, "targets": ["embedding", "attention", "mlp"]},
        optimizer={
            "name": "lora-plus", "ratio": 16, "embedding_rate": 5e-4, "betas": [FIRST, SECOND],
        },
        training={
            "max_steps": STEPS, "batch_size": 2, "learning_rate": 1e-3, "scheduler": "constant",
            "warmup": 0, "weight_decay": DECAY,
        },
    )  # fmt: skip
    seen = watched(contents)
    kinds = Counter()
    for name, parameter in seen.job.opened.trained().items():
        (kind,) = RATES.keys() & set(name.split("."))
        given = gradients[parameter]
        # the one that begins at zero keeps the gradient from the other for the first step alone
        assert all(one.any() for one in given[1:])
        expected = replayed(seen.before[name], given, RATES[kind])
        assert (seen.after[name] - expected).abs().max() < 1e-6
        kinds[kind, given[0].any().item()] += 1
    assert kinds == {
        ("lora_A", False): 7, ("lora_B", True): 7,
        ("lora_embedding_A", True): 1, ("lora_embedding_B", False): 1,
    }  # fmt: skip
    assert all(len(given) == STEPS for given in gradients.values())
