"""Flash attention: exact attention in blocks that stay in the GPU's fast memory.

Sources: Dao et al., 2022 (https://arxiv.org/abs/2205.14135) and 2023
(https://arxiv.org/abs/2307.08691), Shah et al., 2024 (https://arxiv.org/abs/2407.08608);
https://huggingface.co/docs/transformers/attention_interface
"""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from luthier.core import BadModel, Finding, Plugin, Refusal, hookimpl

if TYPE_CHECKING:
    from luthier.core.device import Device
    from luthier.core.model.loading import LoadPlan
    from luthier.core.model.opening import ModelSpec

logger = logging.getLogger(__name__)

LEAST_CAPABILITY = 8.0
"""Of NVIDIA GPUs (https://github.com/Dao-AILab/flash-attention#nvidia-cuda-support)."""
PACKAGES = {
    2: ("flash-attn", 'Install it: pip install "luthier[flash-attn]"'),
    3: ("flash-attn-3", "Build it from the folder `hopper` of the flash-attention repository"),
}
KERNELS = ("kernels", "Install it: pip install kernels")


class FlashAttention(Plugin):
    """Train with a flash attention kernel, on a GPU and in half precision."""

    version: Literal[2, 3] = 2
    """2 is the package flash-attn, 3 is flash-attn-3."""
    kernel: Annotated[str, Field(pattern=r"^kernels-community/[\w.-]+(@[\w.-]+)?$")] | None = None
    """A built kernel that the package `kernels` fetches from the Hub instead, such as
    kernels-community/flash-attn2, with `@revision` after it to pin it."""
    fallback: bool = False
    """Where it cannot run, take transformers' own choice, mostly SDPA, and say so in the log."""

    traits: ClassVar = frozenset({"attention-backend"})
    serves: ClassVar = "training"
    refuses: ClassVar = (
        Refusal("attention-backend", "a model has one attention backend", "Leave one of them out"),
    )

    @hookimpl
    def check_model(self, device: Device) -> Iterable[Finding]:
        """Tell of a device that it does not run on, and of a package that is not installed."""
        if (missing := self._missing(device)) and not self.fallback:
            yield Finding("", *missing)

    @hookimpl
    def plan_load(self, plan: LoadPlan, model: ModelSpec, location: Path | str) -> None:
        """Choose transformers' name of the kernel.

        Raises:
            BadModel: it cannot run here or in this model, and there is to be no fallback.
        """
        from luthier.core.device import present

        missing = self._missing(present()) or _unsuited(model, location, plan.dtype)
        if missing is None:
            plan.attention = self.kernel or f"flash_attention_{self.version}"
        elif self.fallback:
            logger.warning("attention is computed as without it: %s", missing[0])
        else:
            raise BadModel(f"{missing[0]}. {missing[1]}")

    def _missing(self, device: Device) -> tuple[str, str] | None:
        """Return what it lacks here, and the way out; None where it lacks nothing."""
        otherwise = "leave it out, or set `fallback: true`."
        if device.kind not in {"cuda", "rocm"}:
            said = f"flash attention runs on NVIDIA and AMD GPUs, and this is {device}"
            return said, f"{otherwise[:1].upper()}{otherwise[1:]}"
        if device.kind == "cuda" and device.capability < LEAST_CAPABILITY:
            said = (
                f"flash attention needs compute capability {LEAST_CAPABILITY}, and {device} has "
                f"{device.capability}"
            )
            return said, f"{otherwise[:1].upper()}{otherwise[1:]}"
        name, install = KERNELS if self.kernel else PACKAGES[self.version]
        if _is_installed(name):
            return None
        return f"it needs the package {name}, not installed here", f"{install}; or {otherwise}"


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _unsuited(model: ModelSpec, location: Path | str, dtype: str) -> tuple[str, str] | None:
    """Return why the model cannot be computed with it, and the way out, if there is a reason."""
    from luthier.core.model.architectures import class_for, config_at

    if dtype == "float32":
        said = "flash attention computes in half precision, and the weights are to be float32"
        return said, "Set `model.dtype` to bfloat16, or leave flash-attention out."
    made: Any = class_for(config_at(location, model.revision))
    if made is not None and not getattr(made, "_supports_flash_attn", False):
        return f"{made.__name__} does not take flash attention", "Leave flash-attention out."
    return None
