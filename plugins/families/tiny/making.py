"""Makes the tiny model: the same weights and the same tokenizer on every machine.

A sibling of the plugin, since it needs torch and transformers.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from luthier.core.run.folder import cache_folder

VERSION = 1
"""Counts up when anything below changes what is made."""
VOCABULARY = 2048
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>")
SHAPE: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}
SEED = 20240325


def tiny_model() -> Path:
    """Return the folder of the tiny model in the user's cache, made now if it is not there."""
    corpus = files("luthier.plugins.families.tiny").joinpath("corpus.txt").read_bytes()
    made_of = (
        f"{VERSION} {VOCABULARY} {SHAPE} {SEED} {torch.__version__} {transformers.__version__}"
    )
    key = hashlib.sha256(made_of.encode() + corpus).hexdigest()[:12]
    folder = cache_folder() / "models" / f"tiny-{key}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        make_tiny(beside, corpus.decode("utf-8"))
        os.replace(beside, folder)
    except OSError:
        if not folder.is_dir():  # another process may have made it meanwhile; then that one serves
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def make_tiny(folder: Path, corpus: str) -> None:
    """Write the model and its tokenizer to a folder.

    Args:
        folder: where `save_pretrained` writes to.
        corpus: the text that the tokenizer's merges are learned from.
    """
    tokenizer = byte_level_bpe(corpus)
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        pad_token_id=tokenizer.pad_token_id,
        **SHAPE,
    )
    # a generator of our own: making the model moves no random state of the run that asks for it
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = LlamaForCausalLM(config)
    model.generation_config.do_sample = False
    model.save_pretrained(folder)


def byte_level_bpe(corpus: str) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer (Radford et al., 2019) learned from a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([corpus], trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",  # noqa: S106 - no password
        pad_token="<|pad|>",  # noqa: S106
        model_max_length=SHAPE["max_position_embeddings"],
        clean_up_tokenization_spaces=False,
    )
