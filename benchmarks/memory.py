"""The memory of a process or a device, as the benchmarks of training steps measure it."""

from __future__ import annotations

from pathlib import Path

MIB = 2**20


def held(device: str, *, peak: bool = False) -> float:
    """Return the memory that is held, or was held at most, in MiB."""
    if device == "cuda":
        import torch

        return (torch.cuda.max_memory_allocated if peak else torch.cuda.memory_allocated)() / MIB
    field = "VmHWM" if peak else "VmRSS"
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024
