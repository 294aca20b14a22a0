"""The tiny model is the same on every machine, small, and knows its text."""

import hashlib
from importlib.resources import files

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from luthier.plugins.families.tiny import making

CORPUS = files("luthier.plugins.families.tiny").joinpath("corpus.txt").read_text("utf-8")


def hashes(folder):
    names = ("model.safetensors", "tokenizer.json", "config.json")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def test_it_is_made_alike_each_time_and_moves_no_random_state(tmp_path):
    for name in ("a", "b"):
        before = torch.random.get_rng_state()
        making.make_tiny(tmp_path / name, CORPUS)
        assert torch.equal(torch.random.get_rng_state(), before)
        torch.rand(7)  # the second is made from another state
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


def test_it_has_one_to_five_million_parameters():
    model = AutoModelForCausalLM.from_pretrained(making.tiny_model())
    assert 1_000_000 <= model.num_parameters() <= 5_000_000


def test_it_is_made_once_and_found_again():
    folder = making.tiny_model()
    made = (folder / "config.json").stat().st_mtime_ns
    assert making.tiny_model() == folder
    assert (folder / "config.json").stat().st_mtime_ns == made


def test_a_second_process_that_makes_it_meanwhile_does_no_harm(tmp_path, monkeypatch):
    monkeypatch.setenv("LUTHIER_CACHE", str(tmp_path))
    original = making.make_tiny

    def overtaken(folder, corpus):
        original(folder, corpus)
        monkeypatch.setattr(making, "make_tiny", original)
        making.tiny_model()

    monkeypatch.setattr(making, "make_tiny", overtaken)
    folder = making.tiny_model()
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("text", ["Wörter, 字, 🎻\n\t x", CORPUS[:2000], "<|im_end|>x"])
def test_its_tokenizer_loses_nothing(text):
    tokenizer = AutoTokenizer.from_pretrained(making.tiny_model())
    ids = tokenizer(text, split_special_tokens=True)["input_ids"]
    assert tokenizer.decode(ids) == text
