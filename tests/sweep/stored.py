"""The models that are stored in few bits: by the format's own quantizer where it runs on a CPU."""

import os
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from luthier.plugins.families.tiny.making import tiny_model
from tests.plugins.quantizers.storing import GROUP, store, store_experts

TEXTS = 64
"""How many pieces of text GPTQModel sees what weights are for with, each of some 200 characters."""


class Stored(NamedTuple):
    """A model that is stored in few bits."""

    path: Path
    base: str | None = None
    """The whole model that its adapters are merged into; None where it is made whole when read."""


def _written(method: str, folder: Path) -> Stored:
    """Store the tiny model by rounding that is ours, in the format of a method."""
    tiny = tiny_model()
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    store(model, AutoTokenizer.from_pretrained(tiny), method, folder)
    return Stored(folder, None if method == "fp8" else "tiny")


def _quantized(bits: int, folder: Path) -> Stored:
    """Store the tiny model as GPTQModel quantizes it, with text that it sees it used on."""
    # 7.6.0 asks for no more workers than half of the cores, and then for two
    os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")
    from gptqmodel import GPTQModel
    from gptqmodel.quantization import GPTQConfig

    corpus = files("luthier.plugins.families.tiny").joinpath("corpus.txt").read_text("utf-8")
    texts = [corpus[n * 200 : n * 200 + 200] for n in range(TEXTS)]
    config = GPTQConfig(bits=bits, group_size=GROUP)
    model = GPTQModel.load(str(tiny_model()), config, device="cpu", dtype=torch.float32)
    model.quantize(texts, batch_size=1)
    model.save(str(folder))
    return Stored(folder, "tiny")


def _experts(folder: Path) -> Stored:
    """Store a small gpt-oss with experts in MXFP4."""
    from transformers import GptOssConfig, GptOssForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(tiny_model())
    torch.manual_seed(0)
    config = GptOssConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=16, num_local_experts=4,
        num_experts_per_tok=2, sliding_window=16, eos_token_id=2, pad_token_id=3,
        architectures=["GptOssForCausalLM"],
    )  # fmt: skip
    store_experts(GptOssForCausalLM(config), tokenizer, folder)
    return Stored(folder)


STORED = {
    "gptq-4": partial(_quantized, 4),
    "awq-4": partial(_written, "awq"),
    "aqlm-8": partial(_written, "aqlm-256"),
    "fp8": partial(_written, "fp8"),
    "mxfp4": _experts,
}
"""What fills an empty folder with the model of a case."""
