"""What is done to every decoder that transformers holds, and which of them `check` refuses.

The sweep tries a small model of each; the figures of the pages are those of its record.
"""

import json
from importlib.metadata import version

import pytest
import torch

from luthier.core.model.attention import composed_attention, unwrapped, why_unwrapped
from luthier.core.model.sequencewise import SEQUENCEWISE, register
from luthier.core.model.vocabulary import fit_vocabulary, why_fixed
from luthier.core.training import (
    PackedCollator,
    PaddingCollator,
    require_isolated,
    token_mean_loss,
)
from luthier.core.wiring import Selected, manager_of
from luthier.plugins.patches.chunked_cross_entropy import ChunkedCrossEntropy
from luthier.plugins.patches.padding_free import PaddingFree
from luthier.plugins.patches.s2_attention import S2Attention
from luthier.registry import Entry
from tests.sweep.architectures import DECODERS
from tests.sweep.miniatures import VOCABULARY, miniature
from tests.sweep.records import RESULTS

IDS = torch.arange(3, 27)[None]
LENGTHS = (7, 11, 1, 7, 24)
EXACT = {"atol": 1e-5, "rtol": 1e-5}


def logits_of(model, ids=IDS):
    with torch.no_grad():
        return model(input_ids=ids, use_cache=False).logits


def learnt(model, batch):
    """Return the logits, the loss, and its gradients; of experts that nothing came to, zeros."""
    labels = batch.pop("labels")
    outputs = model(**{**batch, "use_cache": False})
    loss = token_mean_loss(outputs, labels)
    loss.backward()
    return (
        outputs.logits,
        loss.detach(),
        {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in model.named_parameters()},
    )


def with_s2(model, **options):
    entry = Entry("patches", "s2", "x:y", "a-package", "1.0")
    manager = manager_of([Selected("patches", "s2", S2Attention(**options), entry)])
    model.set_attn_implementation(composed_attention(None, manager))
    return model


def s2_attention(kind):
    """One group is full attention, and several are computed, too."""
    expected = logits_of(miniature(kind).eval())
    torch.testing.assert_close(
        logits_of(with_s2(miniature(kind), share=1.0).eval()), expected, **EXACT
    )
    found = logits_of(with_s2(miniature(kind), tokens=4).train())
    assert found.isfinite().all()


def padding_free(kind):
    """Rows end to end give the logits and gradients of padded ones."""
    generator = torch.Generator().manual_seed(1)
    ids = [torch.randint(3, VOCABULARY, (n,), generator=generator).tolist() for n in LENGTHS]
    rows = [{"input_ids": one, "labels": one} for one in ids]
    own = miniature(kind).eval()
    own.set_attn_implementation(register())
    require_isolated(own, SEQUENCEWISE)
    padded, _, expected = learnt(miniature(kind).eval(), PaddingCollator(0)(rows))
    flat, _, found = learnt(own, PackedCollator(0, "line")(rows))
    unpadded = torch.cat([logits[:n] for logits, n in zip(padded, LENGTHS, strict=True)])
    torch.testing.assert_close(flat[0], unpadded, **EXACT)
    torch.testing.assert_close(found, expected, **EXACT)


def chunked_cross_entropy(kind):
    """The loss and the gradients are those of all logits at once."""
    labels = IDS.reshape(2, 12).clone()
    labels[0, :5] = -100
    outcomes = []
    for tokens in (None, 5):
        model = miniature(kind).eval()
        if tokens:
            ChunkedCrossEntropy(tokens=tokens).patch_model(model, "adapted")
        outcomes.append(learnt(model, {"input_ids": IDS.reshape(2, 12), "labels": labels})[1:])
    (loss, expected), (found_loss, found) = outcomes
    torch.testing.assert_close(found_loss, loss, **EXACT)
    # of the largest: those of RWKV's embedding are sums of hundreds
    largest = max(1.0, *(one.abs().max().item() for one in expected.values()))
    torch.testing.assert_close(found, expected, atol=1e-5 * largest, rtol=1e-5)


class Words:
    """A tokenizer of six words that are new to a miniature."""

    def __len__(self):
        return VOCABULARY + 6

    def convert_ids_to_tokens(self, ids):
        return list(map(str, ids))


def new_tokens(kind):
    """Old tokens keep their logits, and new ones have some."""
    model = miniature(kind).eval()
    before = logits_of(model)
    vocabulary = fit_vocabulary(model, Words(), VOCABULARY, 16)
    after = logits_of(model)
    assert after.shape[-1] == vocabulary.rows > VOCABULARY
    torch.testing.assert_close(after[..., :VOCABULARY], before[..., :VOCABULARY], **EXACT)
    assert logits_of(model, torch.tensor([[100, 101, 104, 5]])).isfinite().all()


def told_of_s2(config):
    return why_unwrapped(kind) if (kind := unwrapped(config)) else None


def told_of_padding_free(config):
    return next((one.problem for one in PaddingFree().check_model(config=config)), None)


TRIED = {
    "s2-attention": (s2_attention, told_of_s2),
    "padding-free": (padding_free, told_of_padding_free),
    "chunked-cross-entropy": (chunked_cross_entropy, lambda config: None),
    "new tokens": (new_tokens, why_fixed),
}
"""What is tried, and what `check` says of a config instead."""
KNOWN = {
    ("reformer", what): "its hashes are drawn anew in each pass"
    for what in ("chunked-cross-entropy", "new tokens")
}


@pytest.mark.sweep
@pytest.mark.parametrize("what", TRIED)
@pytest.mark.parametrize("kind", DECODERS)
def test_every_decoder_goes_with_it_or_is_refused_by_check(kind, what, request):
    tried, told = TRIED[what]
    if reason := told(miniature(kind).config.to_dict()):
        pytest.skip(reason)
    if (kind, what) in KNOWN:
        request.applymarker(pytest.mark.xfail(reason=KNOWN[kind, what], strict=True))
    tried(kind)


SAMPLE = ["afmoe", "doge", "gemma3_text", "gpt2", "llama", "mixtral", "qwen3_next"]


@pytest.mark.parametrize("what", TRIED)
@pytest.mark.parametrize("kind", SAMPLE)
def test_a_decoder_goes_with_it_or_is_refused_by_check(kind, what):
    tried, told = TRIED[what]
    if told(miniature(kind).config.to_dict()) is None:
        tried(kind)


def test_the_figures_of_the_pages_are_those_of_the_record(repository):
    result = json.loads((RESULTS / "decoders.json").read_text(encoding="utf-8"))
    if result["versions"]["transformers"] != version("transformers"):
        pytest.skip("the record is of another version of transformers")
    cases = result["cases"]
    passed = {
        what: sum(cases[f"{kind}-{what}"]["outcome"] == "passed" for kind in DECODERS)
        for what in TRIED
    }
    assert len(cases) == len(DECODERS) * len(TRIED)
    told = {
        "patches.md": [
            (
                f"Of the {len(DECODERS)} decoders of transformers 5.23, a small one each, "
                f"{passed['padding-free']} gave the logits and gradients of padded rows"
            ),
            (
                f"Of the {len(DECODERS)} decoders of transformers 5.23, a small one each, "
                f"{passed['s2-attention']} take it"
            ),
        ],
        "patches-training.md": [
            (
                "a small one of each decoder of transformers 5.23 but Reformer "
                f"({passed['chunked-cross-entropy']})"
            )
        ],
    }
    for page, sentences in told.items():
        text = " ".join((repository / "docs" / page).read_text(encoding="utf-8").split())
        assert [one for one in sentences if one not in text] == []
