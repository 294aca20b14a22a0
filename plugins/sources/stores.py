"""Files of an object store, through fsspec."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from luthier.core import BadData
from luthier.core.data.dataset import shown
from luthier.plugins.sources.reading import DataFile, is_data


def stored_files(url: str, options: Mapping[str, Any]) -> tuple[list[DataFile], str]:
    """Return the files at a URL, and what changes whenever they do.

    Args:
        url: a file, or a folder: all files below it whose endings are known.
        options: settings of the file system.

    Raises:
        BadData: the store cannot be reached, or there is nothing.
    """
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    try:
        system, path = url_to_fs(url, **options)
        if system.isdir(path):
            inner = {one: PurePosixPath(one).relative_to(path) for one in system.find(path)}
            found = sorted(one for one, relative in inner.items() if is_data(relative))
        else:
            found = [path]
        states = [str(system.checksum(one)) for one in found]
    # what stores raise where they refuse is of their own packages' making
    except (OSError, ValueError, ImportError, RuntimeError, TypeError) as fault:
        raise unreachable(url, fault) from fault
    digest = hashlib.sha256("\n".join((*found, *states)).encode())
    scheme = url.partition("://")[0]
    files = [
        DataFile(shown(f"{scheme}://{one}"), one, partial(_opened, system, one)) for one in found
    ]
    return files, digest.hexdigest()


def _opened(system: Any, path: str) -> BinaryIO:
    stream: BinaryIO = system.open(path, "rb")
    return stream


def unreachable(url: str, fault: Exception) -> BadData:
    """Return an error about a URL that cannot be read, without what may be a secret in it."""
    said = " ".join(str(fault).split()) or type(fault).__name__
    before, _, rest = url.partition("://")
    secrets = [url, rest.partition("?")[2], rest.partition("/")[0].rpartition("@")[0]]
    for secret in secrets:
        said = said.replace(secret, shown(url) if secret == url else "...") if secret else said
    return BadData(
        f"{shown(url)} cannot be read: {said.rstrip('.')}. Look at the URL, and at what the "
        f"store of {before}:// takes for your credentials."
    )
