"""How an open model generates: a run file's `generation` over the model's own settings."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from transformers import GenerationConfig

from luthier.core.errors import BadModel
from luthier.core.model.padding import pad_id_of
from luthier.core.model.unwrapping import unwrapped

if TYPE_CHECKING:
    from luthier.core.model.opening import OpenModel
    from luthier.core.sections import GenerationSection

_PLAIN = {"do_sample": False, "temperature": 1.0, "top_p": 1.0, "top_k": 50}
"""Greedy, and the values at which transformers leaves the rest alone."""

_OF_SAMPLING = {
    "temperature": 1.0, "top_p": 1.0, "top_k": 50, "typical_p": 1.0, "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0, "min_p": None, "top_h": None,
}  # fmt: skip
"""What means nothing where answers are the likeliest tokens, and the values that do nothing."""
_OF_BEAMS = {"early_stopping": False, "length_penalty": 1.0}


def settle_generation(model: Any) -> None:
    """Have a model's own settings of generation be such as can be saved with it.

    Those of some models say how to sample and not that it is done, which transformers reads with
    a warning and does not write. They are taken to sample, unless they say that they do not.

    Raises:
        BadModel: they cannot be what they say.
    """
    settings = model.generation_config
    if settings is None:  # it is a model that gives no answers
        return
    told = _other_than(settings, _OF_SAMPLING) if settings.do_sample is not True else []
    if told and settings.do_sample is None:
        settings.do_sample, told = True, []
    if settings.num_beams in {None, 1}:
        told += _other_than(settings, _OF_BEAMS)
    if (settings.pad_token_id or 0) < 0:  # it is none, in the words of some
        told.append("pad_token_id")
    for name in told:
        setattr(settings, name, None)
    try:
        settings.validate(strict=True)
    except ValueError as fault:
        raise BadModel(
            f"the model's own generation_config.json cannot be saved with it: {fault}\nMend it "
            "there, or delete the file."
        ) from fault


def _other_than(settings: GenerationConfig, plain: dict[str, Any]) -> list[str]:
    return [name for name, one in plain.items() if getattr(settings, name, None) not in {None, one}]


def generation_config(
    opened: OpenModel, generation: GenerationSection, *, greedy: bool = False
) -> GenerationConfig:
    """Return how the model generates.

    Args:
        opened: the model.
        generation: the run file's section; what it does not give is the model's own setting.
        greedy: without a `temperature` take the likeliest token, whatever the model's own is.
    """
    given = {k: v for k, v in generation.model_dump().items() if v is not None}
    temperature = given.pop("temperature", 0.0 if greedy else None)
    if temperature is not None:
        given["do_sample"] = temperature > 0
    if temperature:
        given["temperature"] = temperature
    elif greedy:
        given |= _PLAIN
    settings = GenerationConfig.from_dict({**opened.model.generation_config.to_dict(), **given})
    if opened.template is not None:
        settings.eos_token_id = opened.template.stop_ids(opened.tokenizer) or None
    if settings.pad_token_id is None:
        settings.pad_token_id = pad_id_of(opened.tokenizer)
    settings.max_length = None  # max_new_tokens says it
    return settings


@contextmanager
def without_own_settings(model: Any) -> Iterator[None]:
    """Have a model generate by what it is given alone.

    transformers takes what is not given from the model's own settings: what cuts its
    probabilities (`min_p`, `suppress_tokens`) cannot be given as something that cuts nothing.
    """
    model = unwrapped(model)
    own = model.generation_config
    model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        model.generation_config = own


def within_positions(
    opened: OpenModel, settings: GenerationConfig, tokens: int
) -> GenerationConfig:
    """Return the settings, by which an answer ends where learned positions do.

    Args:
        opened: the model.
        settings: how it generates.
        tokens: how many it goes on from.

    Raises:
        BadModel: there are fewer positions than these.
    """
    config = opened.model.config.get_text_config()
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None or getattr(config, "rope_parameters", None):
        return settings  # they are computed, so there is one for each token
    if tokens >= positions:
        raise BadModel(
            f"there are {tokens:,} tokens to be answered, and the model has {positions:,} "
            "positions. Leave some of them out, or begin a new conversation."
        )
    settings = copy.copy(settings)
    settings.max_new_tokens = min(settings.max_new_tokens, positions - tokens)
    return settings
