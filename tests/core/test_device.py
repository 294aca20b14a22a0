"""What a device can do, told of its description: no test here needs the device."""

import pytest

from luthier.core import LuthierError, check
from luthier.core.device import KNOWN, Device, device_named

# the paper, section 3.1, "Precision Adaptation"
TABLE = [
    ("NVIDIA, from compute capability 8.0", "bfloat16", [
        Device("cuda", "A100", 8.0), Device("cuda", "A10", 8.6), Device("cuda", "Orin", 8.7),
        Device("cuda", "RTX 4090", 8.9), Device("cuda", "H100", 9.0), Device("cuda", "B200", 10.0),
        Device("cuda", "RTX 5090", 12.0),
    ]),
    ("NVIDIA, before", "float16", [
        Device("cuda", "P100", 6.0), Device("cuda", "V100", 7.0), Device("cuda", "T4", 7.5),
        Device("cuda", "one whose capability is not told"),
    ]),
    ("Ascend", "float16", [Device("npu", "Ascend 910B"), Device("npu", "Ascend 310P")]),
    ("AMD", "float16", [Device("rocm", "MI300X"), Device("rocm", "RX 7900", 11.0)]),
    ("no CUDA", "float32", [Device("cpu", "cpu"), Device("mps", "Apple M3")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("device", "dtype"),
    [(device, dtype) for _, dtype, devices in TABLE for device in devices],
    ids=str,
)
def test_the_precision_is_what_the_paper_says_for_the_device(small_run, device, dtype):
    assert device.dtype == dtype
    assert ("device-bfloat16" in device.traits) == (dtype == "bfloat16")
    assert check(small_run(), device=device).dtype == dtype
    mine = check(small_run(model={"path": "tiny", "dtype": "bfloat16"}), device=device)
    assert mine.dtype == "bfloat16"


def test_every_kind_of_device_is_in_the_table_and_those_with_a_name_agree_with_it():
    told = {device.kind: dtype for _, dtype, devices in TABLE for device in devices}
    for device in KNOWN.values():
        expected = told[device.kind] if device.kind != "cuda" else (
            "bfloat16" if device.capability >= 8 else "float16"
        )  # fmt: skip
        assert device.dtype == expected, device


def test_a_device_that_is_not_known_is_answered_with_those_that_are():
    assert device_named("a100").capability == 8.0
    with pytest.raises(LuthierError, match="Did you mean 'a100'"):
        device_named("a1000")
