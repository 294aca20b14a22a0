"""Saving a trained model so that stock transformers and PEFT load it with no conversion."""

from __future__ import annotations

from pathlib import Path

from luthier.core.model.adapters import quiet_peft
from luthier.core.model.generation import settle_generation
from luthier.core.model.opening import OpenModel
from luthier.core.run.card import CARD
from luthier.core.run.folder import written_whole


def save_model(opened: OpenModel, folder: Path, card: str | None = None) -> None:
    """Write the model, or its adapter, with tokenizer, template, stop tokens and value heads.

    Args:
        opened: the trained model.
        folder: it is there whole when this returns, or not at all.
        card: the text of its README.md, if it gets one.
    """
    with written_whole(folder) as beside:
        write_model(opened, beside)
        if card is not None:
            (beside / CARD).write_text(card, encoding="utf-8")


def write_model(opened: OpenModel, folder: Path) -> None:
    """Write what `save_model` does into a folder that is there, file by file."""
    model, tokenizer, template = opened.model, opened.tokenizer, opened.template
    generation = model.generation_config
    if template is not None:
        tokenizer.chat_template = template.jinja()
        generation.eos_token_id = template.stop_ids(tokenizer) or None
    settle_generation(model)
    if hasattr(model, "peft_config"):
        with quiet_peft():
            model.save_pretrained(folder, save_embedding_layers=False)
        # PEFT's card is a form with nothing filled in
        (folder / CARD).unlink(missing_ok=True)
        generation.save_pretrained(folder)
    else:
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if opened.value_heads:
        from luthier.core.model.value_head import save_value_heads

        save_value_heads(opened.value_heads, folder)
