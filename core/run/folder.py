"""The run folder: the product of a run. What is in it is complete or absent, never half there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luthier.core.errors import BadRunFolder
from luthier.core.run.ranks import is_first

CHECKPOINT = "checkpoint-"
LOCK = ".lock"
PARTIAL, DELETED = ".partial", ".deleted"
"""How the names end of what is being written, or deleted, beside its place."""
PREVIOUS = ".previous"
"""The folder of the run that is to be overwritten, until the new one is sure to begin."""


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run."""

    path: Path

    @property
    def run_file(self) -> Path:
        """The resolved run file, every value with its origin."""
        return self.path / "run.yaml"

    @property
    def manifest(self) -> Path:
        """Versions, plugins, hashes, hardware and memory."""
        return self.path / "manifest.json"

    @property
    def metrics(self) -> Path:
        """A line of JSON for each logged step."""
        return self.path / "metrics.jsonl"

    @property
    def log(self) -> Path:
        """What the run and its libraries said."""
        return self.path / "log.txt"

    @property
    def rejected(self) -> Path:
        """The rows of the data that were left out, a line of JSON each, with the reason."""
        return self.path / "rejected.jsonl"

    @property
    def faults(self) -> Path:
        """The rows of steps that were no good, a line of JSON each."""
        return self.path / "faults.jsonl"

    @property
    def loss_plot(self) -> Path:
        """The loss against the steps."""
        return self.path / "loss.png"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The trained model, or the adapter; it is there when the run has ended well."""
        return self.path / "model"

    def write_rejected(self, rows: Iterable[dict[str, Any]], *, after: int = 0) -> None:
        """Write which rows of the data were left out, and why; so many that are there stay."""
        before = self.rejected.read_text("utf-8").split("\n")[:after] if after else []
        lines = [*before, *(json.dumps(row, ensure_ascii=False) for row in rows)]
        write_text_whole(self.rejected, "".join(f"{line}\n" for line in lines))

    def existing_checkpoints(self) -> list[Path]:
        """Return the complete checkpoints, the oldest first."""
        if not self.checkpoints.is_dir():
            return []
        found = [
            p for p in self.checkpoints.glob(f"{CHECKPOINT}*")
            if p.name.removeprefix(CHECKPOINT).isdigit()
        ]  # fmt: skip
        return sorted(found, key=step_of)

    def require_run(self) -> None:
        """Refuse a folder that holds no run.

        Raises:
            BadRunFolder: there is no run.yaml in it.
        """
        self.require_no_file()
        if not self.path.is_dir():
            raise BadRunFolder(f"there is no folder {self.path}. Name the folder of a run.")
        if not self.run_file.is_file():
            raise BadRunFolder(
                f"{self.path} holds no run: there is no run.yaml in it. "
                "`luthier train RUN` writes the folder that is named by `output`."
            )

    def require_no_file(self) -> None:
        """Refuse a file, such as a run file that is named in place of its run folder.

        Raises:
            BadRunFolder: it is a file.
        """
        if self.path.is_file():
            raise BadRunFolder(
                f"{self.path.name} is a file. Name the folder that a run wrote, such as "
                f"runs/{self.path.stem}, or that of a model."
            )

    def require_free(self) -> None:
        """Refuse a folder whose contents a new run would overwrite.

        Raises:
            BadRunFolder: it holds a run with a checkpoint or a model, or files that are no run's.
        """
        if self.model.exists() or self.existing_checkpoints():
            raise BadRunFolder(
                f"{self.path} holds a run already. Go on with it: `luthier resume {self.path}`; "
                "or choose another `output`; or give `--overwrite` to delete it."
            )
        if self._holds_other_files():
            raise BadRunFolder(
                f"{self.path} holds files that are no run's. Choose another `output`."
            )

    def require_clearable(self) -> None:
        """Refuse to delete a folder that holds no run.

        Raises:
            BadRunFolder: the folder holds files and no run.yaml.
        """
        if self._holds_other_files():
            raise BadRunFolder(
                f"{self.path} holds files that are no run's, so it is not deleted. "
                "Choose another `output`."
            )

    def clear(self) -> None:
        """Delete a run, all but the lock that its owner holds, and what is set aside.

        Raises:
            BadRunFolder: the folder holds files and no run.yaml.
        """
        self.require_clearable()
        for path in self.contents():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def contents(self) -> list[Path]:
        """Return what is the run's own; the run file last, which says that it may be cleared."""
        own = [path for path in self.path.iterdir() if path.name not in {LOCK, PREVIOUS}]
        return sorted(own, key=lambda one: one == self.run_file)

    def _holds_other_files(self) -> bool:
        if not self.path.is_dir() or self.run_file.exists():
            return False
        return any(not path.name.endswith(PARTIAL) for path in self.contents())

    def remove_leftovers(self) -> None:
        """Delete what a process that was killed left half written, or half deleted."""
        for folder in (self.path, self.checkpoints):
            for path in (p for ending in (PARTIAL, DELETED) for p in folder.glob(f".*{ending}")):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against another run; one that was made for it and stays empty goes.

        Of several processes of one run the first holds it.

        Raises:
            BadRunFolder: another process holds it.
        """
        from filelock import FileLock, Timeout

        if not is_first():
            yield
            return
        made = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise BadRunFolder(
                f"{self.path} cannot be made: {fault.strerror}. Choose another `output`."
            ) from fault
        try:
            with FileLock(self.path / LOCK, timeout=0):
                try:
                    yield
                finally:
                    if made:
                        self._remove_if_empty()
        except Timeout:
            raise BadRunFolder(
                f"another process is training in {self.path}. Wait for it, or choose another "
                "`output`."
            ) from None

    def _remove_if_empty(self) -> None:
        """Delete a folder that holds the lock alone, while it is held: who waits sees it gone."""
        with suppress(OSError):  # Windows deletes no open file
            if [path.name for path in self.path.iterdir()] == [LOCK]:
                (self.path / LOCK).unlink()
                self.path.rmdir()


def step_of(checkpoint: Path) -> int:
    """Return the optimizer step after which a checkpoint was written."""
    return int(checkpoint.name.removeprefix(CHECKPOINT))


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Yield a folder to write to, which takes the name `folder` when all of it is on the disk.

    A process that dies at any moment leaves either nothing by that name, or what was there
    before, or the whole new folder.
    """
    beside = folder.with_name(f".{folder.name}{PARTIAL}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
        for file in beside.rglob("*"):
            _to_disk(file)
        _to_disk(beside)
        if folder.exists():
            discard(folder)
        os.replace(beside, folder)
        _to_disk(folder.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def discard(folder: Path) -> None:
    """Delete a folder so that no half of it is ever found by its name."""
    doomed = folder.with_name(f".{folder.name}{DELETED}")
    shutil.rmtree(doomed, ignore_errors=True)
    os.replace(folder, doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def write_text_whole(file: Path, text: str) -> None:
    """Write a text file that is there whole, or as it was before."""
    beside = file.with_name(f".{file.name}{PARTIAL}")
    beside.write_text(text, encoding="utf-8")
    _to_disk(beside)
    os.replace(beside, file)
    _to_disk(file.parent)


def write_json_whole(file: Path, value: Any) -> None:
    """Write a JSON file that is there whole, or as it was before."""
    write_text_whole(file, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def _to_disk(path: Path) -> None:
    """Have the system write a file or folder out; not every file system can for a folder."""
    flags = os.O_RDONLY
    try:
        descriptor = os.open(path, flags)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cache_folder() -> Path:
    """Return the user's cache folder of luthier: LUTHIER_CACHE, or the platform's usual place."""
    if own := os.environ.get("LUTHIER_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "luthier"
