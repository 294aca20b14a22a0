"""A tiny model that has learned something, and what measures how the weights of one are held."""

import pytest
import torch


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
def logits_of():
    """Return a model's logits of some tokens."""

    def computed(model):
        with torch.no_grad():
            return model.eval()(torch.arange(10, 40)[None]).logits

    return computed
