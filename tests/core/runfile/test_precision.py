"""What a run file is told of its precision, for devices that are not here."""

import json

import pytest

from luthier.core import check
from luthier.core.device import device_named
from luthier.core.problems import BadRunFile


@pytest.fixture
def stored(tmp_path):
    """Write the config of a model; return the model of a run file."""

    def written(**config):
        (tmp_path / "config.json").write_text(
            json.dumps({"architectures": ["LlamaForCausalLM"], **config})
        )
        return {"path": str(tmp_path)}

    return written


def warned(run):
    return [note for note in run.notes if "bfloat16" in note]


@pytest.mark.parametrize(
    ("told", "device", "warns"),
    [
        ({"dtype": "bfloat16"}, "t4", True),
        ({"torch_dtype": "bfloat16"}, "mi300x", True),
        ({"text_config": {"torch_dtype": "bfloat16"}}, "ascend910b", True),
        ({"dtype": "float16"}, "t4", False),
        ({"dtype": "float32"}, "t4", False),
        ({}, "t4", False),
        ({"dtype": "bfloat16"}, "a100", False),
        ({"dtype": "bfloat16"}, "cpu", False),
    ],
)
def test_a_model_of_bfloat16_that_is_loaded_in_float16_is_warned_of(
    small_run, stored, told, device, warns
):
    run = check(small_run(model=stored(**told)), device=device_named(device))
    assert bool(warned(run)) == warns
    for note in warned(run):
        assert "what is beyond 65,504 becomes infinite" in note
        assert "set `model.dtype: float32`" in note


def test_the_warning_is_of_what_the_file_chooses_too(small_run, stored):
    contents = small_run(model={**stored(dtype="bfloat16"), "dtype": "float16"})
    assert warned(check(contents, device=device_named("a100")))
    contents["model"]["dtype"] = "float32"
    assert not warned(check(contents, device=device_named("t4")))


def test_training_float16_alone_is_refused_where_it_is_asked_for(small_run):
    contents = small_run()
    contents["training"]["precision"] = "pure"
    with pytest.raises(BadRunFile) as fault:
        check(contents, device=device_named("t4"))
    assert "training.precision: the model is in float16 on NVIDIA T4, whose small gr" in str(fault)
    assert "set `model.dtype: bfloat16`" in str(fault.value)
    for device, dtype in {"a100": "bfloat16", "cpu": "float32"}.items():
        assert check(contents, device=device_named(device)).trained_dtype == dtype


def test_what_is_trained_is_float32_in_mixed_precision(small_run):
    for device in ("a100", "t4", "cpu"):
        assert check(small_run(), device=device_named(device)).trained_dtype == "float32"
