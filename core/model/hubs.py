"""The hubs that models come from, and what a model's path may be: a folder, an id, a short name."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from luthier.core.errors import BadModel
from luthier.registry.errors import MOST_LISTED, nearest

TOLD = (
    "config.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
    "*.py",
)  # fmt: skip
"""The files of a model on a hub that a run file is resolved by; its code is read, and not run."""
WHOLE = ("*.json", "*.jinja", "*.safetensors", "*.model", "*.txt", "*.tiktoken", "*.py")
"""The files of a model that is loaded: no pickles."""
_CACHED = re.compile(r"models--([^/\\]+?)--([^/\\]+)")
"""A folder of the Hub's cache (https://huggingface.co/docs/huggingface_hub/guides/manage-cache)."""


def is_hub_id(path: str) -> bool:
    """Return whether a path has the form `owner/name` of a hub."""
    owner, slash, name = path.partition("/")
    return bool(slash and owner and name) and "/" not in name and owner[0] not in ".~"


def id_in_cache(path: str) -> str | None:
    """Return the id of the model that a folder of the Hub's cache holds; None for any other."""
    found = _CACHED.search(path)
    return f"{found[1]}/{found[2]}" if found else None


OFFLINE = "HF_HUB_OFFLINE"
"""Of the environment: what libraries of the Hub read, and we no other."""


def is_offline() -> bool:
    """Return whether whoever started this process wants the Hub not to be asked."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def commit_of(folder: Path) -> str | None:
    """Return the commit that a folder of the Hub's cache holds; None for any other folder."""
    return folder.name if folder.parent.name == "snapshots" else None


class Hub(NamedTuple):
    """A place that models are fetched from."""

    name: str
    title: str
    """What messages call it."""
    fetch: Callable[[str, str | None, list[str]], str]
    """Returns the folder that holds a model's files, of an id, a revision and patterns."""
    package: str | None = None
    """What has to be installed for it, beyond the base dependencies."""
    install: str = ""
    """The command that installs it."""

    def is_missing(self) -> bool:
        """Return whether its package is not installed."""
        return self.package is not None and importlib.util.find_spec(self.package) is None


def _from_the_hub(path: str, revision: str | None, patterns: list[str]) -> str:
    from huggingface_hub import snapshot_download

    return snapshot_download(path, revision=revision, allow_patterns=patterns)


def _from_modelscope(path: str, revision: str | None, patterns: list[str]) -> str:
    from modelscope import snapshot_download  # type: ignore[import-not-found,unused-ignore]

    folder: str = snapshot_download(path, revision=revision, allow_patterns=patterns)
    return folder


HUBS: dict[str, Hub] = {
    one.name: one
    for one in (
        Hub("huggingface", "the Hub", _from_the_hub),
        Hub(
            "modelscope", "ModelScope", _from_modelscope, "modelscope",
            'pip install "luthier[modelscope]"',
        ),
    )
}  # fmt: skip
"""The hubs, by the names that a run file has for them; the first is the one by default."""


def fetched(hub: str, path: str, revision: str | None, patterns: Sequence[str] = TOLD) -> Path:
    """Return a folder with the files of a hub's model, from the hub or from its local cache.

    Args:
        hub: its name.
        path: the model's id there.
        revision: the branch, tag or commit; the newest where it is None.
        patterns: which files.

    Raises:
        BadModel: the hub has none, cannot be reached, or needs a package that is not installed.
    """
    there = HUBS[hub]
    if there.is_missing():
        said = f"{there.title} needs the package {there.package}, not installed here"
        raise BadModel(f"{said}. Install it: {there.install}.")
    try:
        return Path(there.fetch(path, revision, list(patterns)))
    except (OSError, ValueError, RuntimeError) as fault:
        if there.package is None and is_offline():
            at = f" at the revision {revision}" if revision else ""
            raise BadModel(
                f"there is no folder {path} here, and {OFFLINE} is set, so that {there.title} is "
                f"not asked; its cache holds no such model{at}. Fetch it where there is a network "
                f"(`hf download {path}`), or name a folder."
            ) from fault
        said = " ".join(str(fault).split())
        raise BadModel(
            f"there is no folder {path} here, and {there.title} gives no model of that name: "
            f"{said.rstrip('.')}. Look at the name, or name a folder."
        ) from fault


def require_no_misspelt_folder(path: str, base: Path) -> None:
    """Refuse a Hub id that begins like a folder of this machine: nobody asks the Hub for that.

    Args:
        path: the model's path, of the form `owner/name`.
        base: the folder that a relative path is found from.

    Raises:
        BadModel: the first part is a folder; the message names what is in it.
    """
    owner, _, name = path.partition("/")
    folder = base / owner
    if not folder.is_dir():
        return
    there = sorted(one.name for one in folder.iterdir() if one.is_dir() and one.name[0] != ".")
    listed = ", ".join(there[:MOST_LISTED]) + (" ..." if there[MOST_LISTED:] else "")
    raise BadModel(
        f"there is no folder {path}, neither of a run nor of a model, and since there is a folder "
        f"{owner}, the Hub is not asked. {nearest(name, there)}In {owner} there are: "
        f"{listed or 'no folders'}. For a model of the Hub, work from another folder."
    )


def no_model_at(path: str, names: Sequence[str] = ()) -> str:
    """Return the message for a path that is no model.

    Args:
        path: what was asked for.
        names: the short names and built-in names that there are.
    """
    meant = nearest(path, names) if "/" not in path else ""
    listed = "`luthier models` lists the short names. " if names else ""
    return (
        f"there is no model at {path!r}: neither a folder nor a Hub id such as `owner/name`"
        f"{', nor a short name' if names else ''}. {meant}{listed}"
        "A relative path is found from the folder of the run file; one of the command line, from "
        "the current folder."
    )
