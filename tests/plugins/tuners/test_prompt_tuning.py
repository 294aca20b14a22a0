"""Prompt tuning: what the vectors begin as."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from luthier.plugins.families.tiny.making import tiny_model

TEXT = "Answer with a sum."


@pytest.mark.parametrize("tokens", [2, 5, 23])
def test_they_begin_as_the_tokens_of_a_text_cut_off_or_over_again(tokens, small_run, job_of):
    tuner = {"name": "prompt-tuning", "tokens": tokens, "text": TEXT}
    model = job_of(small_run(tuner=tuner)).opened.model
    ids = AutoTokenizer.from_pretrained(tiny_model())(TEXT).input_ids
    assert 2 < len(ids) < 23
    embedding_VD = AutoModelForCausalLM.from_pretrained(tiny_model()).get_input_embeddings().weight
    expected_PD = embedding_VD[[ids[n % len(ids)] for n in range(tokens)]]
    assert torch.equal(model.prompt_encoder["default"].embedding.weight, expected_PD)


def test_without_a_text_they_begin_as_tokens_at_random(small_run, job_of):
    model = job_of(small_run(tuner={"name": "prompt-tuning", "tokens": 7})).opened.model
    found_PD = model.prompt_encoder["default"].embedding.weight
    embedding_VD = model.get_input_embeddings().weight
    same_PV = (found_PD[:, None] == embedding_VD).all(-1)
    assert same_PV.any(1).all()
    assert len(same_PV.float().argmax(1).unique()) > 1
