"""The engine of transformers: an answer ends where positions do, and no library talks between."""

import pytest
import torch
import transformers

from luthier.core import BadModel, load
from luthier.core.model.generation import within_positions
from luthier.plugins.families.tiny.making import tiny_model

MESSAGES = [{"role": "user", "content": "What is two plus two?"}]


@pytest.fixture
def engine(tmp_path):
    """A function: a small model of random weights that never ends an answer, ready to chat."""

    def of(config, **generation):
        torch.manual_seed(0)
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (tmp_path / name).write_text((tiny_model() / name).read_text())
        settings = [f"generation.{key}={value}" for key, value in generation.items()]
        opened = load(tmp_path, ["template=chatml", "generation.temperature=0", *settings])
        opened.settings.eos_token_id = None
        return opened

    return of


def learned(positions):
    return transformers.GPT2Config(
        vocab_size=2048, n_embd=32, n_layer=1, n_head=2, n_positions=positions,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip


def computed(positions):
    return transformers.LlamaConfig(
        vocab_size=2048, hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=positions, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip


def test_an_answer_ends_where_learned_positions_do(engine):
    chat = engine(learned(64))
    room = 64 - len(chat.prompt_ids(MESSAGES))
    assert 0 < room < chat.settings.max_new_tokens
    assert within_positions(chat.opened, chat.settings, 64 - room).max_new_tokens == room
    assert chat.answer(MESSAGES)


def test_a_conversation_that_is_longer_than_the_positions_is_refused(engine):
    with pytest.raises(BadModel, match=r"are 17 tokens to be answered, and the model has 16 p"):
        engine(learned(16)).answer(MESSAGES)


def test_where_positions_are_computed_it_goes_on_and_no_library_talks_between(engine, capfd):
    chat = engine(computed(32), max_new_tokens=40)
    capfd.readouterr()
    assert chat.answer(MESSAGES)
    assert capfd.readouterr() == ("", "")
