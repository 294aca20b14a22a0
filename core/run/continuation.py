"""Whether a run can be gone on with: its settings, files, processes and data as they were."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.data.dataset import VALIDATION
from luthier.core.data.prepared import PreparedData
from luthier.core.errors import BadRunFolder
from luthier.core.problems import counted
from luthier.core.run.folder import RunFolder
from luthier.core.run.ranks import world
from luthier.core.run.telling import tell_of_changes
from luthier.core.runfile import Run

if TYPE_CHECKING:
    from luthier.core.model.opening import LocatedModel
    from luthier.core.run.job import TrainingJob

DATA = "data"
SHOWN = 12
"""Characters of a hash that are shown."""


class Difference(NamedTuple):
    """One thing that is not as it was when the run began."""

    what: str
    """A key of the run file, or what else it is."""
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.what}: {_shown(self.before)} -> {_shown(self.now)}"


@dataclass(frozen=True)
class Continuation:
    """A run that is gone on with, as its manifest has it."""

    stored: dict[str, Any]
    accepts_changes: bool = False
    """Whether it goes on though something has changed."""

    @classmethod
    def of(cls, folder: RunFolder, *, accepts_changes: bool) -> Continuation:
        """Return that of a run folder.

        Raises:
            BadRunFolder: its manifest is not what a run writes.
        """
        return cls(stored_manifest(folder), accepts_changes)

    def before_reading(self, run: Run) -> list[Difference]:
        """Return what has changed, as far as it is told without reading any data.

        Raises:
            BadRunFolder: something has, and that is not accepted.
        """
        found = [*_settings(run, self.stored), *_plugin_files(run, self.stored)]
        found += _processes(self.stored)
        if found and not self.accepts_changes:
            self._refuse(run, [*found, *_sources(run, self.stored)])
        return found

    def after_reading(
        self, run: Run, located: LocatedModel, prepared: PreparedData
    ) -> list[Difference]:
        """Return what has changed of the rows, and why.

        Raises:
            BadRunFolder: something has, and that is not accepted.
        """
        rows = list(_rows(self.stored, prepared))
        if not rows:
            return []
        found = [*_sources(run, self.stored), *_rendering(located, self.stored), *rows]
        if not self.accepts_changes:
            self._refuse(run, found)
        return found

    def after_opening(
        self, run: Run, model: str | None, companions: Mapping[str, str | None]
    ) -> list[Difference]:
        """Return which of the models are others than those that the run began with.

        Args:
            run: the run.
            model: the fingerprint of the one that is trained.
            companions: those of the models beside it, by what they are there for.

        Raises:
            BadRunFolder: one is, and that is not accepted.
        """
        before = {"model": self.stored.get("model", {}).get("sha256")}
        now = {"model": model}
        for name, digest in self.stored.get("companions", {}).items():
            before[f"{name} model"], now[f"{name} model"] = digest, companions.get(name)
        found = [
            Difference(f"the files of the {what}", one[:SHOWN], (now[what] or "none")[:SHOWN])
            for what, one in before.items()
            if one is not None and one != now[what]
        ]
        if found and not self.accepts_changes:
            self._refuse(run, found)
        return found

    def kept(self, changes: Sequence[Difference]) -> dict[str, Any]:
        """Return what the manifest keeps of the run as it began, and of all that was changed."""
        before = list(self.stored.get("changes", []))
        now = [{"at": _now(), "changed": [str(one) for one in changes]}] if changes else []
        told = {"changes": [*before, *now]} if before or now else {}
        return {"created": self.stored["created"], **told}

    def _refuse(self, run: Run, found: Sequence[Difference]) -> None:
        listed = "".join(f"\n    {one}" for one in found)
        raise BadRunFolder(
            f"{run.output} cannot go on as it began. What has changed since:{listed}\n"
            "  Put it back, or train anew with `--overwrite`; or go on with what there is now: "
            f"`luthier resume {run.output} --accept-changes`."
        )


def kept_of(
    begun: Continuation | None,
    job: TrainingJob,
    manifest: dict[str, Any],
    changes: list[Difference],
) -> dict[str, Any]:
    """Return the models beside the one that is trained, and what stays of the run as it began.

    Raises:
        BadRunFolder: a model is another, and that is not accepted.
    """
    found = {"companions": dict(job.companions)}
    if begun is None:
        return found
    models = begun.after_opening(job.run, manifest["model"]["sha256"], job.companions)
    tell_of_changes(models, job.reporter)
    return found | begun.kept([*changes, *models])


def require_same_data(folder: RunFolder, prepared: PreparedData) -> None:
    """Refuse other rows than a run was trained on.

    Raises:
        BadRunFolder: what it was trained on, or evaluated on, is another.
    """
    if found := list(_rows(stored_manifest(folder), prepared)):
        listed = "".join(f"\n    {one}" for one in found)
        raise BadRunFolder(
            f"the data, the template or the tokenizer of {folder.path} has changed since:{listed}\n"
            "  Put it back, or name other rows: `validation=FILE`."
        )


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


def _settings(run: Run, stored: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the keys of run.yaml that have another value: it would not be what acted before."""
    from luthier.core.run.manifest import settings_of

    yield from _unequal(stored["settings"], settings_of(run))


def _unequal(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            yield Difference(key, before.get(key), now.get(key))


def _plugin_files(run: Run, stored: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield plugin files that were changed; packages are what is installed."""
    from luthier.core.run.manifest import plugins_of

    before, now = (_digests(one) for one in (stored.get("plugins", []), plugins_of(run)))
    for name, digest in before.items():
        if now.get(name) != digest:
            yield Difference(
                f"the plugin file {name}", digest[:SHOWN], (now.get(name) or "")[:SHOWN]
            )


def _digests(plugins: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {one["distribution"]: one["sha256"] for one in plugins if "sha256" in one}


def _processes(stored: Mapping[str, Any]) -> Iterator[Difference]:
    before = stored.get("hardware", {}).get("processes", world())
    if before != world():
        yield Difference("processes", before, world())


def _sources(run: Run, stored: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield what was changed of the datasets that the file names, and of local files of them."""
    from luthier.core.run.manifest import data_settings_of, sources_of

    data = stored[DATA]
    if "settings" in data:
        yield from _unequal(data["settings"], data_settings_of(run))
    absent: dict[str, Any] = {}
    for before, now in zip_longest(data.get("sources", []), sources_of(run), fillvalue=absent):
        digests = before.get("sha256"), now.get("sha256")
        if before.get("path") == now.get("path") and digests[0] != digests[1]:
            name = f"the file {Path(now['path']).name}"
            yield Difference(name, *((one or "absent")[:SHOWN] for one in digests))


def _rendering(located: LocatedModel, stored: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield template and tokenizer, where they have changed."""
    from luthier.core.run.manifest import template_sha256, tokenizer_sha256

    now = {
        "the chat template": template_sha256(located.template),
        "the tokenizer": tokenizer_sha256(located.tokenizer),
    }
    before = (stored.get("template_sha256"), stored.get("tokenizer_sha256"))
    for (name, digest), other in zip(now.items(), before, strict=True):
        if digest != other:
            yield Difference(name, (other or "none")[:SHOWN], (digest or "none")[:SHOWN])


def _rows(stored: Mapping[str, Any], prepared: PreparedData) -> Iterator[Difference]:
    """Yield the sets of rows that are others: what is trained on, or what is evaluated on."""
    before, now = _by_set(stored[DATA]), _by_set(prepared.facts())
    for name in {**before, **now}:
        old, new = before.get(name, {}), now.get(name, {})
        if old.get("fingerprint") != new.get("fingerprint"):
            yield Difference(f"the rows of {name}", _told(old), _told(new))


def _by_set(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the facts of the rows to train on, and of each validation set, by a name."""
    found = {DATA: facts}
    for name, one in facts.get(VALIDATION, {}).items():
        found[name if name == VALIDATION else f"{VALIDATION} {name}"] = one
    return found


def _told(facts: Mapping[str, Any]) -> str:
    if not facts:
        return "none"
    rows = counted(facts["rows"], "row", "rows") if facts.get("rows") else "a stream"
    return f"{rows} ({facts['fingerprint'][:SHOWN]})"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value or "none"
    return "not given" if value is None else json.dumps(value, default=str)
