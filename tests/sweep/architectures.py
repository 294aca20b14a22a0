"""What is tried with each decoder that transformers holds, and which of its models are decoders."""

import warnings
from typing import NamedTuple

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.pytorch_utils import Conv1D

from luthier.core.model.adapters import with_adapter
from luthier.core.model.layers import GROUPS, LayerMap, LayerType
from luthier.core.model.opening import OpenModel
from luthier.core.model.saving import save_model
from luthier.core.model.vocabulary import Vocabulary
from luthier.plugins.tuners.lora import Lora
from tests.sweep.miniatures import VOCABULARY, miniature

TOLERANCE = 1e-4

ENCODER = "an encoder, trained to fill gaps, that can be run as a decoder"
HALF = "the decoder half of an encoder-decoder, which attends to what the encoder gives"
MODALITIES = "its class holds an encoder of images or sound beside the language model"
AUDIO = "a decoder of audio codes"
DRAFT = "a draft model, which reads the hidden states of the model that it drafts for"

EXCLUDED = {
    **dict.fromkeys(
        ("bert", "bert-generation", "big_bird", "camembert", "data2vec-text", "electra", "ernie",
         "megatron-bert", "rembert", "roberta", "roberta-prelayernorm", "roc_bert", "roformer",
         "xlm-roberta", "xlm-roberta-xl", "xmod"), ENCODER),
    **dict.fromkeys(
        ("bart", "bigbird_pegasus", "blenderbot", "blenderbot-small", "marian", "mbart", "mvp",
         "pegasus", "plbart", "prophetnet", "trocr", "whisper"), HALF),
    **dict.fromkeys(
        ("fuyu", "gemma3", "gemma3n", "gemma4", "gemma4_unified", "git", "got_ocr2",
         "moss_transcribe_diarize", "phi4_multimodal"), MODALITIES),
    **dict.fromkeys(("musicgen", "musicgen_melody"), AUDIO),
    **dict.fromkeys(("gemma4_assistant", "gemma4_unified_assistant"), DRAFT),
    "emu3": "a decoder of text and image codes; AutoModelForCausalLM does not load what it saves",
    "mllama": "every fourth layer attends to an image, and is passed by where there is none",
    "xlm": "an encoder, or one half of a translator, with a head for gaps",
    "xlnet": "a permutation model, which attends to both sides",
}  # fmt: skip
"""The model types that are no decoder-only language models, each with the reason."""

FAILURES = {
    "dbrx": "its experts stay without adapters: the module around them reads their weights, and "
    "PEFT's adapter of a parameter acts only while the module that holds it runs",
    "reformer": "its reversible layers run in an autograd function of their own, which gives no "
    "gradient where its input, the frozen embedding, has none",
}
"""The decoders that do not pass, each with the reason."""

DECODERS = sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.keys() - EXCLUDED.keys())


class Outcome(NamedTuple):
    """What was seen of one architecture."""

    types: dict[LayerType, int]
    """How many layers there are of each type."""
    adapted: int
    """How many of them have an adapter."""
    difference: float
    """The largest difference of a logit after saving, reloading and merging."""
    stock: float
    """The same, after the adapter was loaded by PEFT alone."""


def trial(model_type, folder):
    """Put an architecture through its paces.

    Raises:
        AssertionError: it failed; the message says at what.
    """
    base = folder / "base"
    miniature(model_type).save_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base)
    layers = LayerMap.of(model)
    assert not layers.names_of(LayerType.OTHER), layers.names_of(LayerType.OTHER)
    assert not (untyped := _linear(model) - layers.types.keys()), untyped
    vocabulary = Vocabulary((), (), VOCABULARY, VOCABULARY)
    model = Lora(rank=4).attach_adapter(
        model=model, layers=layers, vocabulary=vocabulary, adapter=None
    )
    adapters = sum(isinstance(one, LoraLayer) for one in model.modules())
    assert adapters == layers.resolved.total()
    assert set(layers.resolved) == GROUPS["all"] & set(layers.types.values())
    assert not layers.names_of(LayerType.EXPERT), "the experts have no adapter"
    _train(model)
    before = _logits(model)
    difference, stock = (
        max((before - one).abs().max().item() for one in after)
        for after in _reloaded(
            OpenModel(model, tokenizer(), None, layers, vocabulary), base, folder
        )
    )
    assert difference < TOLERANCE, difference
    return Outcome(layers.counts(list(layers.types)), adapters, difference, stock)


def _linear(model):
    """Return what is linear, by a rule of its own: modules, and tensors of three axes."""
    modules = {n for n, one in model.named_modules() if isinstance(one, nn.Linear | Conv1D)}
    others = {n: one for n, one in model.named_modules() if not isinstance(one, nn.Conv1d)}
    stacked = {
        f"{name}.{own}".removesuffix(".weight")
        for name, module in others.items()
        for own, tensor in module.named_parameters(recurse=False)
        if sum(length > 1 for length in tensor.shape) > 2
    }
    return modules | stacked


def _batch(seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, VOCABULARY, (4, 24), generator=generator)


def _train(model):
    """Take two steps, and see that the second has a gradient for every adapter weight."""
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-2)
    model.train()
    for seed in range(2):
        optimizer.zero_grad()
        ids = _batch(seed)
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        optimizer.step()
    idle = [n for n, p in trained.items() if p.grad is None or not p.grad.any()]
    assert not idle, f"no gradient: {idle}"


def _reloaded(opened, base, folder):
    """Return the logits after saving, reloading and merging, and of stock PEFT."""
    save_model(opened, folder / "adapter")
    reloaded = with_adapter(AutoModelForCausalLM.from_pretrained(base), folder / "adapter")
    after = [_logits(reloaded)]
    opened.model = reloaded.merge_and_unload()
    after.append(_logits(opened.model))
    save_model(opened, folder / "merged")
    after.append(_logits(AutoModelForCausalLM.from_pretrained(folder / "merged")))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found missing adapter keys")
        stock = PeftModel.from_pretrained(
            AutoModelForCausalLM.from_pretrained(base), folder / "adapter"
        )
    return after, [_logits(stock)]


def _logits(model):
    with torch.no_grad():
        return model.eval()(input_ids=_batch(2), use_cache=False).logits


def tokenizer():
    """Return a tokenizer of two words, since a model is saved with one."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    model = WordLevel({"a": 0, "b": 1}, unk_token="b")
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(model))
