"""A rehearsal: what hangs on a model's layers is told before any data, or any weights, are read."""

from __future__ import annotations

from collections.abc import Iterable

from luthier.core.model.layers import LayerMap
from luthier.core.model.opening import LocatedModel
from luthier.core.model.vocabulary import vocabulary_for
from luthier.core.wiring import steps


def rehearse(located: LocatedModel, words: Iterable[str] = ()) -> None:
    """Refuse a run whose plugins name layers that its model has not.

    The model is built of its config alone, on torch's meta device: it takes no memory, and of the
    largest some seconds.

    Args:
        located: the model.
        words: what else is to name layers of it, as targets do.

    Raises:
        BadModel: a target matches no layer, or what a plugin does cannot be done to them.
    """
    model = located.manager.hook.outline_model(model=located.spec, location=located.location)
    if model is None:
        return
    layers = LayerMap.of(model, located.spec.layers)
    for word in words:
        layers.matching([word])
    multiple = located.spec.pad_vocabulary
    vocabulary = vocabulary_for(model, located.tokenizer, located.known_tokens, multiple)
    for step in steps(located.manager, "check_layers"):
        step.call(model=model, layers=layers, vocabulary=vocabulary)
