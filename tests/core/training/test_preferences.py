"""Preferences in batches: two sequences a row, all chosen ones first, padded or packed."""

import json
import random

import datasets
import pytest
import torch
from transformers import AutoTokenizer

from luthier.core import train
from luthier.core.data import Preference
from luthier.core.data.arrangement import PackedRows, Packing
from luthier.core.data.encoding import Encoder
from luthier.core.data.preview import preview
from luthier.core.run.folder import RunFolder
from luthier.core.templates import IGNORED, load_template
from luthier.core.templates.tokenizing import TextEncoder
from luthier.core.training import PackedCollator, PaddingCollator
from luthier.core.training.recording import read_metrics
from luthier.plugins.families.tiny.making import tiny_model

STAGE = """
from luthier.core import Plugin, hookimpl
from luthier.core.data.arrangement import packs
from luthier.core.training import PackedCollator, PaddingCollator, Trainer


class Pairs(Plugin):
    '''Train on both answers, which is enough to see what a batch of them is.'''

    packing: bool = False
    '''Put several pairs into one sequence.'''

    @hookimpl
    def encode_dataset(self, dataset, encoder):
        return encoder.preferences(dataset)

    @hookimpl
    def arrange_dataset(self, dataset, encoding):
        return packs(dataset, 2 * encoding.max_length) if self.packing else None

    @hookimpl
    def build_collator(self, tokenizer, attention):
        if self.packing:
            return PackedCollator.of(tokenizer, attention)
        return PaddingCollator.of(tokenizer)

    @hookimpl
    def build_trainer(self, job):
        return Trainer(job)


ENTRY_POINTS = {"luthier.stages": {"pairs": Pairs}}
"""
PAIRS = [
    {"chosen_input_ids": [1, 2, 3], "chosen_labels": [IGNORED, 2, 3],
     "rejected_input_ids": [1, 4], "rejected_labels": [IGNORED, 4]},
    {"chosen_input_ids": [5, 6], "chosen_labels": [IGNORED, 6],
     "rejected_input_ids": [5, 7, 8, 9], "rejected_labels": [IGNORED, 7, 8, 9]},
]  # fmt: skip


def test_a_batch_of_n_pairs_is_n_chosen_and_then_n_rejected_rows():
    batch = PaddingCollator(0)(PAIRS)
    assert batch["input_ids"].tolist() == [[1, 2, 3, 0], [5, 6, 0, 0], [1, 4, 0, 0], [5, 7, 8, 9]]
    assert batch["attention_mask"].sum(1).tolist() == [3, 2, 2, 4]
    line = PackedCollator(0, "line")(PAIRS)
    assert line["input_ids"].tolist() == [[1, 2, 3, 5, 6, 1, 4, 5, 7, 8, 9]]
    assert line["position_ids"].tolist() == [[0, 1, 2, 0, 1, 0, 1, 0, 1, 2, 3]]


def test_a_pack_holds_both_answers_of_its_pairs():
    packs = PackedRows(datasets.Dataset.from_list(PAIRS), 11)
    assert len(packs) == 1
    assert [row["input_ids"] for row in packs[0]] == [[5, 6], [1, 2, 3], [5, 7, 8, 9], [1, 4]]
    assert len(PackedRows(datasets.Dataset.from_list(PAIRS), 10)) == 2
    (streamed,), _ = Packing(11)(PAIRS, {}, random.Random(1))
    assert streamed == packs[0]


def test_a_row_with_one_of_two_sequences_is_one_row():
    batch = PaddingCollator(0)(
        [
            {"desirable_input_ids": [1, 2], "desirable_labels": [1, 2],
             "undesirable_input_ids": [], "undesirable_labels": []},
            {"desirable_input_ids": [], "desirable_labels": [],
             "undesirable_input_ids": [3, 4], "undesirable_labels": [3, 4]},
        ]
    )  # fmt: skip
    assert batch["input_ids"].tolist() == [[1, 2], [3, 4]]


def test_the_prompt_that_two_answers_share_is_encoded_once():
    tokenizer = AutoTokenizer.from_pretrained(tiny_model())
    asked = [{"role": "user", "content": "Which of these two is the better answer? " * 3}]
    answers = [{"role": "assistant", "content": text} for text in ("The first one.", "Neither.")]
    encoder = Encoder(load_template("chatml"), tokenizer)
    encoder.preferences([Preference([{"role": "user", "content": "Hi."}], answers)])
    seen = []
    given = TextEncoder._encoded
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            TextEncoder, "_encoded", lambda self, texts: seen.extend(texts) or given(self, texts)
        )
        (found,) = encoder.preferences([Preference(asked, answers)])
    assert sum("Which of these" in text for text, _ in seen) == 1
    prompt = found["chosen"].mask.index(True)
    assert found["chosen"].ids[:prompt] == found["rejected"].ids[:prompt]


@pytest.fixture
def pairs(tmp_path, small_run):
    (tmp_path / "pairs.py").write_text(STAGE)
    rows = [
        {"prompt": f"What is {n} and {n}?", "chosen": f"{2 * n}, I think." * n, "rejected": "No."}
        for n in range(1, 9)
    ]
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return lambda **changes: small_run(
        **{
            "data": [str(data)], "plugins": [str(tmp_path / "pairs.py")], "stage": "pairs",
            "training": {"max_steps": 2, "batch_size": 8, "log_every": 1}, **changes,
        }
    )  # fmt: skip


def losses(contents, folder):
    train({**contents, "output": str(folder)})
    return [row["loss"] for row in read_metrics(RunFolder(folder))]


def test_packed_pairs_train_as_padded_ones_do(pairs, tmp_path):
    padded = losses(pairs(), tmp_path / "padded")
    packing = {"stage": {"name": "pairs", "packing": True}, "encoding": {"max_length": 128}}
    packed = losses(pairs(**packing), tmp_path / "packed")
    torch.testing.assert_close(packed, padded, atol=1e-5, rtol=0)
    assert losses(pairs(**packing, mix={"streaming": True}), tmp_path / "streamed")
    (first, *_) = preview(pairs(**packing)).packs
    assert first.samples >= 4
    assert first.sequence.tokens > 20
