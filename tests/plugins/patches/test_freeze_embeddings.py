"""Frozen embeddings: all else is trained, and tokens that are new are a conflict."""

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM

from luthier.core import train
from luthier.plugins.patches.freeze_embeddings import FreezeEmbeddings


def model_of(*, tied):
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, tie_word_embeddings=tied,
        )
    )  # fmt: skip


@pytest.mark.parametrize("tied", [True, False])
def test_the_embedding_and_a_head_that_is_tied_to_it_are_frozen_and_nothing_else_is(tied):
    model = model_of(tied=tied)
    undo = FreezeEmbeddings().patch_model(model, "adapted")
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {"model.embed_tokens.weight"}
    assert model.lm_head.weight.requires_grad is not tied
    undo()
    assert all(p.requires_grad for p in model.parameters())
    assert FreezeEmbeddings().patch_model(model, "built") is None


def test_what_was_frozen_before_stays_frozen_when_it_is_undone_and_that_is_told(caplog):
    model = model_of(tied=False)
    FreezeEmbeddings().patch_model(model, "adapted")()
    assert not caplog.records
    model.model.embed_tokens.weight.requires_grad = False
    FreezeEmbeddings().patch_model(model, "adapted")()
    assert not model.model.embed_tokens.weight.requires_grad
    assert "freeze-embeddings changes nothing" in caplog.text


def test_a_run_moves_all_weights_but_the_embeddings(small_run):
    weights = []
    for rate in (1e-9, 1e-2):  # the one run leaves all as it was
        training = {"max_steps": 2, "learning_rate": rate, "warmup": 0}
        folder = train(small_run(patches=["freeze-embeddings"], training=training), overwrite=True)
        weights.append(AutoModelForCausalLM.from_pretrained(folder.model).state_dict())
    moved = {n for n in weights[0] if not torch.allclose(weights[0][n], weights[1][n], atol=1e-5)}
    assert weights[0].keys() - moved == {"model.embed_tokens.weight", "lm_head.weight"}  # tied
