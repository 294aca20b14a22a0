"""What a run's device can do, told without importing torch.

The traits of a device stand beside those of the plugins when a run file is judged.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from luthier.core.errors import LuthierError
from luthier.registry.errors import nearest


@dataclass(frozen=True)
class Device:
    """A device: its kind, and for CUDA its compute capability and memory."""

    kind: Literal["cpu", "cuda", "rocm", "npu", "mps"]
    name: str
    capability: float = 0.0
    """Compute capability of a CUDA device, such as 8.0; 0 elsewhere."""
    memory_gib: float = 0.0
    """Memory of the device, in GiB; 0 where it is not known."""

    def __str__(self) -> str:
        return self.name

    @cached_property
    def traits(self) -> frozenset[str]:
        """What plugins may refuse or need: the kind, and what precision it computes in."""
        found = {f"device-{self.kind}"}
        if self.kind in {"cuda", "rocm"}:
            found.add("device-gpu")
        if self.dtype == "bfloat16":
            found.add("device-bfloat16")
        return frozenset(found)

    @property
    def dtype(self) -> Literal["bfloat16", "float16", "float32"]:
        """The precision of the weights here (paper, section 3.1, "Precision Adaptation").

        bfloat16 from compute capability 8.0, float16 on older CUDA devices, on Ascend and on
        AMD, float32 elsewhere.
        """
        if self.kind == "cuda":
            return "bfloat16" if self.capability >= BFLOAT16_CAPABILITY else "float16"
        return "float16" if self.kind in {"npu", "rocm"} else "float32"


BFLOAT16_CAPABILITY = 8.0

# Capabilities: https://developer.nvidia.com/cuda-gpus
KNOWN = {
    "cpu": Device("cpu", "cpu"),
    "mps": Device("mps", "Apple GPU"),
    "v100": Device("cuda", "NVIDIA V100", 7.0, 32),
    "t4": Device("cuda", "NVIDIA T4", 7.5, 16),
    "a100": Device("cuda", "NVIDIA A100", 8.0, 80),
    "a10": Device("cuda", "NVIDIA A10", 8.6, 24),
    "rtx3090": Device("cuda", "NVIDIA RTX 3090", 8.6, 24),
    "rtx4090": Device("cuda", "NVIDIA RTX 4090", 8.9, 24),
    "l40s": Device("cuda", "NVIDIA L40S", 8.9, 48),
    "h100": Device("cuda", "NVIDIA H100", 9.0, 80),
    "h200": Device("cuda", "NVIDIA H200", 9.0, 141),
    "b200": Device("cuda", "NVIDIA B200", 10.0, 180),
    "mi300x": Device("rocm", "AMD MI300X", 0.0, 192),
    "ascend910b": Device("npu", "Ascend 910B", 0.0, 64),
}


def device_named(name: str) -> Device:
    """Return a device by the name that `--device` takes.

    Raises:
        LuthierError: no such device is known; the message lists those that are.
    """
    if name not in KNOWN:
        raise LuthierError(
            f"no device is known by {name!r}. {nearest(name, KNOWN)}Known: {', '.join(KNOWN)}."
        )
    return KNOWN[name]


def probe() -> Device:
    """Return this machine's device as far as it can be told without torch."""
    tool = shutil.which("nvidia-smi")
    if tool:
        query = "--query-gpu=name,compute_cap,memory.total"
        answer = subprocess.run(  # noqa: S603 - a fixed command line, no shell
            [tool, query, "--format=csv,noheader,nounits"],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        fields = answer.stdout.partition("\n")[0].split(", ")
        if answer.returncode == 0 and len(fields) == 3:  # noqa: PLR2004 - the fields asked for
            return Device("cuda", fields[0], float(fields[1]), round(float(fields[2]) / 1024, 1))
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return KNOWN["mps"]
    return KNOWN["cpu"]
