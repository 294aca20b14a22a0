"""A tiny model that has learned something, and what measures how the weights of one are held."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from luthier.core import load, train
from luthier.core.model.quantization import weight_count


@pytest.fixture(scope="session")
def tiny():
    """The folder of the built-in model."""
    from luthier.plugins.families.tiny.making import tiny_model

    return tiny_model()


@pytest.fixture
def bits_of():
    """Return how many bits a parameter of a layer takes, with its scales and tables."""

    def measured(layer, parameters):
        tensors = [*layer.parameters(), *layer.buffers()]
        weight = getattr(layer, "weight", None)
        state = getattr(weight, "quant_state", None)
        if state is not None:
            inner = state.state2
            tensors += [state.absmax, *([inner.absmax] if inner else [])]
        scale = getattr(weight, "SCB", None)
        tensors += [scale] if scale is not None else []
        return 8 * sum(t.numel() * t.element_size() for t in tensors) / parameters

    return measured


@pytest.fixture
def opened_beside(small_run, tiny, logits_of):
    """See that LoRA learns beside a quantizer, and that the run is opened as it was.

    Returns the tiny model as the quantizer opens it, and whole.
    """

    def opened(**quantizer):
        run = train(
            small_run(
                tuner={"name": "lora", "rank": 8},
                quantizer=quantizer,
                training={"max_steps": 20, "batch_size": 4, "log_every": 1, "learning_rate": 1e-2},
            )
        )
        losses = [json.loads(line)["loss"] for line in run.metrics.read_text().splitlines()]
        assert losses[-1] < losses[0] - 0.5
        first, second = (logits_of(load(run.path).model) for _ in range(2))
        assert torch.equal(first, second)
        whole = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
        shown = ", ".join(f"{key}: {value}" for key, value in quantizer.items())
        held = load("tiny", [f"quantizer={{{shown}}}"]).model
        assert weight_count(held) == sum(p.numel() for p in whole.parameters())
        return held, whole

    return opened


@pytest.fixture
def logits_of():
    """Return a model's logits of some tokens."""

    def computed(model):
        with torch.no_grad():
            return model.eval()(torch.arange(10, 40)[None]).logits

    return computed
