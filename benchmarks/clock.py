"""An observer of transformers' training loop, which any side of a benchmark can be given."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from memory import held
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import TrainerCallback


class Kernels(TorchDispatchMode):
    """Notes by which of torch's fused kernels attention is computed; by none, it is products."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:  # fmt: skip
        """Note the name, and compute as without it."""
        name = func.name()
        if "attention" in name or "flash" in name:
            self.seen.add(name)
        return func(*args, **(kwargs or {}))


class Clock(TrainerCallback):
    """Notes when each step ended, which rows it was of, and the most memory that was held.

    Rows are known by their first token, an id from `marks` on that stands nowhere else.
    """

    def __init__(self, output: Path, marks: int, *, kernels: bool = False) -> None:
        """Write the figures to `output` when the training has ended, before anything is saved.

        With `kernels` the first step, which is slower then, tells how attention is computed.
        """
        self.output, self.marks = output, marks
        self.kernels, self._told = Kernels(), not kernels
        self.ends: list[float] = []
        self.rows: list[int] = []
        self.gradients = 0

    def on_train_begin(self, *_: Any, model: Any, **__: Any) -> None:
        """Begin to note the rows that go into the model."""
        model.get_input_embeddings().register_forward_pre_hook(self._note)

    def _note(self, _: Any, inputs: tuple[Any, ...]) -> None:
        ids = inputs[0].flatten()
        self.rows += (ids[ids >= self.marks] - self.marks).tolist()

    def on_pre_optimizer_step(self, *_: Any, model: Any, **__: Any) -> None:
        """Count the bytes of the gradients."""
        held_now = (p.grad for p in model.parameters() if p.grad is not None)
        self.gradients = max(self.gradients, sum(size_of(one) for one in held_now))

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Begin to note the kernels of the first step."""
        if not self._told:
            self.kernels.__enter__()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Note the time."""
        if not self._told:
            self.kernels.__exit__(None, None, None)
            self._told = True
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())

    def on_train_end(self, *_: Any, model: Any, optimizer: Any = None, **__: Any) -> None:
        """Write what was seen."""
        peak = held(next(model.parameters()).device.type, peak=True)
        scales = [vars(s) for p in model.parameters() if (s := getattr(p, "quant_state", None))]
        figures = {
            "ends": self.ends, "rows": self.rows, "peak_mib": peak,
            "kernels": sorted(self.kernels.seen),
            "trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
            "bytes": {
                "weights": sum(size_of(p) for p in model.parameters()), "master copy": 0,
                "constants": sum(map(size_of, tensors_in(scales))), "gradients": self.gradients,
                "optimizer": sum(map(size_of, tensors_in(optimizer.state))) if optimizer else 0,
            },
        }  # fmt: skip
        self.output.write_text(json.dumps(figures), encoding="utf-8")


def size_of(tensor: torch.Tensor) -> int:
    """Return the bytes of a tensor."""
    return tensor.numel() * tensor.element_size()


def tensors_in(value: Any, seen: set[int] | None = None) -> Iterator[torch.Tensor]:
    """Yield the tensors within a value, each once, however they are nested."""
    seen = set() if seen is None else seen
    if isinstance(value, torch.Tensor):
        if value.data_ptr() not in seen:
            seen.add(value.data_ptr())
            yield value
        return
    inner = value.values() if isinstance(value, Mapping) else value
    if type(value).__name__ == "QuantState":  # bitsandbytes', of scales that are quantized in turn
        inner = vars(value).values()
    elif not isinstance(value, Mapping | list | tuple):
        return
    for one in inner:
        yield from tensors_in(one, seen)
