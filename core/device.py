"""What a run's device can do, told without importing torch.

The traits of a device stand beside those of the plugins when a run file is judged.
"""

from __future__ import annotations

import os
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
    return _nvidia() or (
        KNOWN["mps"] if sys.platform == "darwin" and platform.machine() == "arm64" else KNOWN["cpu"]
    )


def _nvidia() -> Device | None:
    """Return the first NVIDIA GPU that nvidia-smi tells of and the environment shows, if any."""
    tool = shutil.which("nvidia-smi")
    if tool is None or os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in {"", "-1"}:
        return None
    query = "--query-gpu=name,compute_cap,memory.total"
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed command line, no shell
            [tool, query, "--format=csv,noheader,nounits"],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    fields = answer.stdout.partition("\n")[0].split(", ")
    if answer.returncode != 0 or len(fields) != 3:  # noqa: PLR2004 - the fields asked for
        return None
    # a driver may answer [N/A], as for memory that is shared with the CPU
    capability, memory = (float(text) if text[:1].isdigit() else 0.0 for text in fields[1:])
    return Device("cuda", fields[0], capability, round(memory / 1024, 1))


def present() -> Device:
    """Return this machine's device as torch has it; this imports torch."""
    import torch

    probed = probe()
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name(0)
        memory = round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1)
        if torch.version.hip:
            return Device("rocm", name, 0.0, memory)
        major, minor = torch.cuda.get_device_capability(0)
        return Device("cuda", name, float(f"{major}.{minor}"), memory)
    if probed.kind == "mps" and torch.backends.mps.is_available():
        return probed
    npu = getattr(torch, "npu", None)
    if npu is not None and npu.is_available():
        return Device("npu", npu.get_device_name(0))
    return KNOWN["cpu"]
