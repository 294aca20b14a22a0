"""The run that a new one overwrites: it is put aside until data and model of that one are sound."""

from __future__ import annotations

import shutil

from luthier.core.run.folder import PREVIOUS, RunFolder


def set_aside(folder: RunFolder) -> None:
    """Put a run aside.

    Raises:
        BadRunFolder: the folder holds files and no run.yaml.
    """
    folder.require_clearable()
    forget(folder)
    if contents := folder.contents():
        (folder.path / PREVIOUS).mkdir()
        for path in contents:
            path.rename(folder.path / PREVIOUS / path.name)


def bring_back(folder: RunFolder) -> None:
    """Put the run back that was set aside, if one was, in the place of what is there now."""
    folder.clear()
    aside = folder.path / PREVIOUS
    if aside.is_dir():
        for path in aside.iterdir():
            path.rename(folder.path / path.name)
        aside.rmdir()


def forget(folder: RunFolder) -> None:
    """Delete the run that was set aside, if one was."""
    if (aside := folder.path / PREVIOUS).is_dir():
        shutil.rmtree(aside)
