"""Whether a run can be gone on with: its settings, its plugin files and its data as they were."""

from __future__ import annotations

import json
from typing import Any

from luthier.core.data.prepared import PreparedData
from luthier.core.errors import BadRunFolder
from luthier.core.run.folder import RunFolder
from luthier.core.runfile import Run


def begun_with(run: Run, folder: RunFolder) -> dict[str, Any]:
    """Return the manifest of a run that is to be gone on with, by the same settings and files.

    Raises:
        BadRunFolder: it is not what a run writes, or the run file or a plugin file has changed.
    """
    stored = stored_manifest(folder)
    require_same_run(run, stored)
    require_same_files(run, stored)
    return stored


def stored_manifest(folder: RunFolder) -> dict[str, Any]:
    """Return the manifest of a run that is to be gone on with.

    Raises:
        BadRunFolder: it is not what a run writes.
    """
    try:
        stored: dict[str, Any] = json.loads(folder.manifest.read_text(encoding="utf-8"))
        # what the comparisons below need; a mapping is what can be unpacked so
        _ = {**stored["settings"]}, stored["created"], stored["data"]["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        said = f"there is no {fault} in it" if isinstance(fault, KeyError) else str(fault)
        raise BadRunFolder(
            f"{folder.manifest} is not what a run writes: {said}. Put it back from a copy, or "
            "train anew with `--overwrite`."
        ) from fault
    return stored


def require_same_run(run: Run, stored: dict[str, Any]) -> None:
    """Refuse to go on where run.yaml was changed: its settings would not be those that acted."""
    from luthier.core.run.manifest import settings_of

    before, now = stored["settings"], settings_of(run)
    changed = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    if changed:
        listed = "; ".join(
            f"{key} was {before.get(key)!r} and is {now.get(key)!r}" for key in changed[:MOST_TOLD]
        )
        raise BadRunFolder(
            f"the run file has changed since the run was begun: {listed}. "
            "Put it back, or train anew with the new settings."
        )


MOST_TOLD = 8


def require_same_files(run: Run, stored: dict[str, Any]) -> None:
    """Refuse to go on with plugin files that were changed; packages are what is installed."""
    from luthier.core.run.manifest import plugins_of

    before, now = (
        {one["distribution"]: one["sha256"] for one in plugins if "sha256" in one}
        for plugins in (stored.get("plugins", []), plugins_of(run))
    )
    for name, digest in before.items():
        if now.get(name) != digest:
            raise BadRunFolder(
                f"the plugin file {name} has changed since the run was begun. "
                "Put it back, or train anew with `--overwrite`."
            )


def require_same_data(stored: dict[str, Any], prepared: PreparedData) -> None:
    """Refuse to go on with other rows than the run was begun with.

    Raises:
        BadRunFolder: what is trained on, or what is evaluated on, is another.
    """
    data = stored["data"]
    before = {"": data, **data.get("validation", {})}
    if {name: one["fingerprint"] for name, one in before.items()} != prepared.fingerprints:
        raise BadRunFolder(
            "the data, the template or the tokenizer has changed since the run was begun, so it "
            "cannot be continued as it was. Put them back, or train anew."
        )
