"""What tells one model from another by its files, without reading all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from luthier.core.model.adapters import ADAPTER_CONFIG

if TYPE_CHECKING:
    from luthier.core.model.opening import LocatedModel

CONFIGS = ("config.json", ADAPTER_CONFIG)
WHOLE = 16 << 20
"""Bytes up to which a file is read whole."""
PLACES, AT_EACH = 256, 4096
"""Of a larger one so many places, evenly apart, with so many bytes at each; the first of these is
its header, which tells the names and shapes of its tensors."""


def fingerprint_of(located: LocatedModel) -> str | None:
    """Return a hash of a model's weights and configs, its adapters' among them.

    Large files are read in part, at places that are evenly apart: a model that was trained further
    differs in all of them. None where the files are not at hand.
    """
    folder = _folder_of(located)
    if folder is None:
        return None
    digest = hashlib.sha256()
    spec = located.spec
    for one in (folder, *((spec.base / adapter).resolve() for adapter in spec.adapters)):
        for name in CONFIGS:
            if (one / name).is_file():
                config = json.loads((one / name).read_text(encoding="utf-8"))
                digest.update(json.dumps(config, sort_keys=True).encode())
        for file in sorted(one.glob("*.safetensors")):
            digest.update(f"{file.name} {file.stat().st_size}".encode())
            for part in _parts_of(file):
                digest.update(part)
    return digest.hexdigest()


def _folder_of(located: LocatedModel) -> Path | None:
    if isinstance(located.location, Path):
        return located.location
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = snapshot_download(
            located.location, revision=located.spec.revision, local_files_only=True
        )
    except LocalEntryNotFoundError:
        return None
    return Path(found)


def _parts_of(file: Path) -> Iterator[bytes]:
    size = file.stat().st_size
    with file.open("rb") as stream:
        if size <= WHOLE:
            yield stream.read()
            return
        for number in range(PLACES):
            stream.seek(number * (size - AT_EACH) // (PLACES - 1))
            yield stream.read(AT_EACH)
