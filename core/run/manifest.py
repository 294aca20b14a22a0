"""manifest.json: what a run was made with, so that it can be made again."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import platform
import resource
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from luthier.core.data.prepared import PreparedData
from luthier.core.hooks import API_VERSION
from luthier.core.model.opening import OpenModel
from luthier.core.model.quantization import weight_count
from luthier.core.runfile import Run

LIBRARIES = (
    "luthier", "torch", "transformers", "peft", "trl", "datasets", "accelerate", "tokenizers",
    "safetensors", "pluggy", "pydantic", "numpy",
)  # fmt: skip

BESIDE = "beside the layers"
"""What is trained and belongs to no layer of the model, such as vectors before its inputs."""
GRADIENT_AND_MOMENTS = 3
"""What each trained parameter has besides, as wide as itself: its gradient, AdamW's moments."""


def manifest_of(run: Run, opened: OpenModel, prepared: PreparedData) -> dict[str, Any]:
    """Return the facts of a run as they stand before its first step.

    Args:
        run: the resolved run.
        opened: its model, tokenizer and template.
        prepared: its data.
    """
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "status": "running",
        "versions": {"python": platform.python_version(), **_versions()},
        "hook_api": API_VERSION,
        "plugins": plugins_of(run),
        "settings": settings_of(run),
        "data": {
            "sources": [_source(one.local_path, str(one)) for one in run.datasets],
            **prepared.facts(),
        },
        "tokenizer_sha256": _sha256(opened.tokenizer.backend_tokenizer.to_str())
        if hasattr(opened.tokenizer, "backend_tokenizer") else None,
        "vocabulary": asdict(opened.vocabulary),
        "config_changes": dict(opened.config_changes),
        "template_sha256": _sha256(opened.template.jinja()) if opened.template else None,
        "git_commit": _git_commit(),
        "hardware": {
            "device": run.device.name, "machine": platform.machine(), "system": platform.system(),
        },
        "parameters": _parameters(opened),
        "memory": {"planned_bytes": planned_bytes(opened), "measured_peak_bytes": None},
    }  # fmt: skip


def plugins_of(run: Run) -> list[dict[str, str]]:
    """Return what is known of each plugin of a run; that of a lone file has the file's hash."""
    leaves = run.tree.leaves()
    paths = [Path(str(node.value)) for key, node in leaves if key.partition(".")[0] == "plugins"]
    files = {path.name: _file_sha256(path) for path in paths if path.is_file()}
    found = []
    for one in (*run.selected, *(p for d in run.datasets for p in (d.source, d.format))):
        entry = one.entry
        facts = {"kind": one.kind, "name": one.name, "distribution": entry.distribution,
                 "version": entry.version}  # fmt: skip
        if entry.value is not None and entry.distribution in files:
            facts["sha256"] = files[entry.distribution]
        found.append(facts)
    return found


def settings_of(run: Run) -> dict[str, Any]:
    """Return what decides the course of training, by dotted key; data has its own fingerprint."""
    served = {"generation", "engine", "output", "data", "validation", "plugins", "checkpoints"}
    leaves = {key: node.value for key, node in run.tree.leaves()}
    return {
        key: value
        for key, value in leaves.items()
        if key.partition(".")[0] not in served and key != "model.path"
    }


def planned_bytes(opened: OpenModel) -> int:
    """Return the bytes of weights, gradients and AdamW's moments; activations are not counted."""
    parameters = list(opened.model.parameters())
    weights: int = sum(p.numel() * p.element_size() for p in parameters)
    trained: int = sum(p.numel() * p.element_size() for p in parameters if p.requires_grad)
    return weights + trained * GRADIENT_AND_MOMENTS


def measured_peak_bytes() -> int:
    """Return the most memory in use so far: of the GPU where there is one, else of the process."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts KiB everywhere else
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _parameters(opened: OpenModel) -> dict[str, Any]:
    """Return how many parameters there are, how many are trained, and these by type of layer."""
    by_type: Counter[str] = Counter()
    for name, parameter in opened.trained().items():
        by_type[opened.layers.type_of(name) or BESIDE] += parameter.numel()
    return {
        "all": weight_count(opened.model),
        "trained": by_type.total(),
        "trained_by_type": dict(by_type.most_common()),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _source(path: Path, name: str) -> dict[str, Any]:
    # a URL may be longer than the name of a file can be
    if "://" in name or not path.is_file():
        return {"path": name}
    return {"path": str(path), "sha256": _file_sha256(path)}


def _file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _git_commit() -> str | None:
    """Return the commit of the repository that the run is started in, if it is in one."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - git is found as the user's shell would
            capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
