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

from luthier.core.data.dataset import shown
from luthier.core.data.prepared import PreparedData
from luthier.core.hooks import API_VERSION
from luthier.core.model.fingerprints import fingerprint_of
from luthier.core.model.opening import LocatedModel, OpenModel
from luthier.core.model.quantization import weight_count
from luthier.core.run.card import license_in
from luthier.core.run.ranks import world
from luthier.core.runfile import Run
from luthier.core.templates import ChatTemplate

LIBRARIES = (
    "luthier", "torch", "transformers", "peft", "datasets", "accelerate", "tokenizers",
    "safetensors", "pluggy", "pydantic", "numpy",
)  # fmt: skip

BESIDE = "beside the layers"
"""What is trained and belongs to no layer of the model, such as vectors before its inputs."""
DATASETS = frozenset({"data", "validation"})
SERVED = DATASETS | {"generation", "engine", "output", "plugins", "checkpoints", "faults"}
"""Keys of a run file that do not decide the course of training; rows have a hash of theirs."""
FREE = ("model.path", "training.report_to")
"""Likewise, in sections that do."""
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
            "sources": sources_of(run),
            "settings": data_settings_of(run),
            **prepared.facts(),
        },
        "tokenizer_sha256": tokenizer_sha256(opened.tokenizer),
        "vocabulary": asdict(opened.vocabulary),
        "config_changes": dict(opened.config_changes),
        "template_sha256": template_sha256(opened.template),
        "git_commit": _git_commit(),
        "hardware": {
            "device": run.device.name, "machine": platform.machine(), "system": platform.system(),
            "processes": world(),
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
    leaves = {key: node.value for key, node in run.tree.leaves()}
    return {
        key: value
        for key, value in leaves.items()
        if key.partition(".")[0] not in SERVED and not key.startswith(FREE)
    }


def data_settings_of(run: Run) -> dict[str, Any]:
    """Return what the file says of its datasets, by dotted key."""
    leaves = {key: node.value for key, node in run.tree.leaves()}
    return {
        key: shown(value) if isinstance(value, str) else value
        for key, value in leaves.items()
        if key.partition(".")[0] in DATASETS
    }


def model_facts(run: Run, located: LocatedModel, opened: OpenModel) -> dict[str, Any]:
    """Return which model the run begins with, and what it will write."""
    return {
        "path": run.model.path,
        "hub": run.model.hub if run.on_hub else None,
        "revision": run.model.revision,
        "sha256": fingerprint_of(located),
        "license": license_in(Path(located.location)),
        "adapter": hasattr(opened.model, "peft_config"),
        "value_heads": sorted(opened.value_heads),
    }


def sources_of(run: Run) -> list[dict[str, Any]]:
    """Return the path of each dataset, and of a local file its hash."""
    return [_source(one.local_path, str(one)) for one in run.datasets]


def tokenizer_sha256(tokenizer: Any) -> str | None:
    """Return the hash of a tokenizer, where it is one of the tokenizers library."""
    own = getattr(tokenizer, "backend_tokenizer", None)
    return None if own is None else _sha256(own.to_str())


def template_sha256(template: ChatTemplate | None) -> str | None:
    """Return the hash of a chat template as Jinja."""
    return None if template is None else _sha256(template.jinja())


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
