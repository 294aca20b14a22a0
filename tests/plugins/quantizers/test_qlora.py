"""An adapter beside each way to hold the frozen weights learns; a control that is frozen does not.

What the tests' own environment has is tried here; all of them by `make quantizers`, whose table is
committed.
"""

import json

import pytest

from tests.sweep.quantizers import (
    BITS_TOLERANCE,
    CASES,
    LOGIT_TOLERANCE,
    SEEDS,
    bits_of,
    merged,
    needed,
    refusal,
    reloaded,
    trained,
)
from tests.sweep.records import RESULTS
from tests.sweep.stored import STORED

# the libraries, and what they bring, warn of how they use torch and of each other
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def model_of(tmp_path_factory):
    """Return the stored model of a case, made once; None where the tiny one is quantized."""
    made = {}

    def stored(name):
        if command := needed(CASES[name]):
            pytest.skip(f"needs {command}")
        if name in STORED and name not in made:
            made[name] = STORED[name](tmp_path_factory.mktemp(name))
        return made.get(name)

    return stored


def beats_the_control(name, model, seed, folder):
    seen = trained(name, model, seed, folder)
    assert seen.trained < seen.frozen - CASES[name].margin
    return seen


def takes_the_bits(name, model):
    bits, expected = bits_of(name, model)
    assert bits == pytest.approx(expected, rel=BITS_TOLERANCE)
    return bits, expected


def refuses_to_train_its_weights(name, model, folder):
    for tuner in ("full", "freeze"):
        assert CASES[name].refused in refusal(name, model, folder, tuner)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_adapter_beside_four_bits_beats_a_frozen_control_on_held_out_rows(
    seed, model_of, tmp_path
):
    beats_the_control("bnb-nf4", model_of("bnb-nf4"), seed, tmp_path)


@pytest.mark.parametrize("name", ["bnb-nf4", "bnb-8", "fp8"])
def test_a_weight_takes_the_bits_that_the_formats_tell(name, model_of):
    takes_the_bits(name, model_of(name))


@pytest.mark.parametrize("name", ["bnb-nf4", "bnb-8", "fp8", "mxfp4"])
def test_its_own_weights_are_not_trained(name, model_of, tmp_path):
    refuses_to_train_its_weights(name, model_of(name), tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("name", CASES)
def test_each_quantizer_trains_is_opened_again_and_merged_and_takes_the_bits_it_should(
    name, model_of, tmp_path, record_property
):
    model = model_of(name)
    refuses_to_train_its_weights(name, model, tmp_path)
    bits, expected = takes_the_bits(name, model)
    record_property("bits", f"{bits:.3f}")
    record_property("expected_bits", f"{expected:.3f}")
    seen = []
    for seed in SEEDS:
        folder = tmp_path / str(seed)
        folder.mkdir()
        seen.append(beats_the_control(name, model, seed, folder))
    record_property("margin", CASES[name].margin)
    record_property("frozen", " ".join(f"{one.frozen:.2f}" for one in seen))
    record_property("trained", " ".join(f"{one.trained:.2f}" for one in seen))
    differences = {
        "reloaded": reloaded(seen[0]),
        "merged": merged(seen[0], model, tmp_path / "merged"),
    }
    for key, difference in differences.items():
        record_property(key, f"{difference:.0e}")
    assert differences["reloaded"] < CASES[name].reopened
    assert differences["merged"] < LOGIT_TOLERANCE


def test_the_committed_table_has_every_quantizer_and_all_of_them_pass():
    cases = json.loads((RESULTS / "quantizers.json").read_text(encoding="utf-8"))["cases"]
    assert cases.keys() == CASES.keys()
    assert {case["outcome"] for case in cases.values()} == {"passed"}
