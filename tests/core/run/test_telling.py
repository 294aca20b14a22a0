"""What a run says of how much it trains: numbers that are counted by hand."""

import json

import pytest

from luthier.core import train

CASES = {
    # four layers, 128 wide, of 64 in keys and values and 384 in an MLP; 2,048 tokens; nine norms
    "all": (
        {"tuner": "full"},
        "1,049,728 of 1,049,728 parameters (100.00%)",
        ", ".join([
            "embedding 262,144", "mlp-gate 196,608", "mlp-up 196,608", "mlp-down 196,608",
            "attention-query 65,536", "attention-output 65,536", "attention-key 32,768",
            "attention-value 32,768", "norm 1,152",
        ]),
    ),
    # beside each layer of I inputs and O outputs 4 (I + O): 1,024, or 768 where O is 64
    "pairs": (
        {"tuner": {"name": "lora", "rank": 4, "targets": "attention"}},
        "14,336 of 1,064,064 parameters (1.35%)",
        "attention-query 4,096, attention-output 4,096, attention-key 3,072, attention-value 3,072",
    ),
    # 4 (384 + 128) and 128 lengths; and a copy of the embedding, which the head shares
    "pairs, lengths, and a module in full": (
        {"tuner": {"name": "dora", "rank": 4, "targets": "mlp-down", "full": ["embedding"]}},
        "270,848 of 1,320,576 parameters (20.51%)",
        "embedding 262,144, mlp-down 8,704",
    ),
    # two rows of 128, which are the head's, too; the embedding itself has two more
    "rows of new tokens": (
        {
            "model": {"path": "tiny", "add_tokens": ["<one>", "<two>"]},
            "tuner": {"name": "lora", "rank": 4, "targets": ["attention-query"]},
        },
        "4,352 of 1,054,336 parameters (0.41%)",
        "attention-query 4,096, embedding 256",
    ),
    "vectors beside no layer": (
        {"tuner": {"name": "prompt-tuning", "tokens": 3}},
        "384 of 1,050,112 parameters (0.04%)",
        "beside the layers 384",
    ),
    # 4 bits of a weight are one of it
    "pairs beside few bits": (
        {"tuner": {"name": "lora", "rank": 4, "targets": "mlp-up"}, "quantizer": "bnb"},
        "8,192 of 1,057,920 parameters (0.77%)",
        "mlp-up 8,192",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_run_tells_how_much_it_trains_as_a_number_a_share_and_by_type(name, small_run, job_of):
    changes, number, by_type = CASES[name]
    if "quantizer" in changes:
        pytest.importorskip("bitsandbytes", reason='needs pip install "luthier[bnb]"')
    log = job_of(small_run(**changes)).folder.log.read_text()
    assert f": training: {number}\n" in log
    assert f": by type: {by_type}\n" in log


def test_the_manifest_keeps_these_numbers(small_run):
    tuner = {"name": "lora", "rank": 4, "targets": "attention"}
    folder = train(small_run(tuner=tuner, training={"max_steps": 1}))
    assert json.loads(folder.manifest.read_text())["parameters"] == {
        "all": 1_064_064,
        "trained": 14_336,
        "trained_by_type": {
            "attention-query": 4_096, "attention-output": 4_096, "attention-key": 3_072,
            "attention-value": 3_072,
        },
    }  # fmt: skip
