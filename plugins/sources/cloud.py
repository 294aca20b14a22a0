"""Files of object stores and of the web, by URL (https://filesystem-spec.readthedocs.io).

They are of the types that local files may have, and are read where they are: nothing is kept here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from luthier.core import BadData, Finding, Plugin, hookimpl
from luthier.core.data import BadSource, Rows
from luthier.core.data.dataset import shown
from luthier.plugins.sources.reading import (
    ENDINGS,
    TextRows,
    no_parts,
    require_one_type,
    rows_of,
    type_of,
)

if TYPE_CHECKING:
    from luthier.core.data import DatasetSpec

PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
}
"""The package that reads URLs of a scheme, where none of luthier's own needs does."""
WEB = ("https", "http")
SECRET = ("key", "secret", "token", "password", "credential", "signature")
"""Words in the names of settings that would be secrets."""


class Cloud(Plugin):
    """A file, or a folder of files of one type, at a URL: `s3://bucket/rows.jsonl`."""

    text_rows: TextRows = "lines"
    """What is one row of a .txt: each line, each paragraph between blank lines, or a whole file."""
    options: dict[str, bool | int | float | str | None] = Field(default_factory=dict)
    """Settings of fsspec's file system of that scheme, such as `anon` or `endpoint_url` of s3."""

    schemes: ClassVar = frozenset({*PACKAGES, *WEB, "hf", "file"})

    @field_validator("options")
    @classmethod
    def _without_secrets(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Refuse secrets: a run file is copied into the folder of each run."""
        for name in options:
            if any(word in name.lower() for word in SECRET):
                raise ValueError(
                    f"{name!r} would be a secret in a file that each run copies; set it as that "
                    "store's own tools read it: an environment variable, or their settings file"
                )
        return options

    @hookimpl
    def check_dataset(self, spec: DatasetSpec) -> Iterator[Finding]:
        """Say what can be told of a URL without asking for it."""
        yield from no_parts(spec)
        try:
            _require_readable(spec.location)
        except BadSource as fault:
            yield Finding("path", fault.problem, fault.remedy)

    @hookimpl
    def open_dataset(self, spec: DatasetSpec) -> Rows | None:
        """Return the rows of all files at the URL, in the order of their names."""
        url = spec.location
        _require_readable(url)
        if urlsplit(url).scheme in WEB:
            from luthier.plugins.sources.web import web_file

            files, fingerprint = web_file(url)
        else:
            from luthier.plugins.sources.stores import stored_files

            files, fingerprint = stored_files(url, self.options)
        if not files:
            raise BadData(f"there is no data at {shown(url)}. {ENDINGS}")
        require_one_type(files, shown(url))
        return rows_of(files, fingerprint, self.text_rows)


def _require_readable(url: str) -> None:
    """Refuse a URL that cannot be one of data, or whose scheme nothing installed reads.

    Raises:
        BadSource: it cannot be read.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as fault:
        raise BadSource(
            f"{shown(url)!r} is no URL: {fault}", "Write SCHEME://HOST/PATH."
        ) from fault
    if parts.scheme not in Cloud.schemes:
        known = ", ".join(f"{scheme}://" for scheme in sorted(Cloud.schemes))
        raise BadSource(f"{shown(url)!r} is no URL of a known scheme", f"Known are: {known}.")
    if parts.scheme == "file" and host:
        said = f"{shown(url)!r} begins with a host, where a whole path of this machine was expected"
        raise BadSource(said, "Write file:///FOLDER/FILE; of a relative path, leave `file://` out.")
    package = PACKAGES.get(parts.scheme)
    if package is not None and importlib.util.find_spec(package) is None:
        said = f"{parts.scheme}:// is read by the package {package}, which is not installed"
        raise BadSource(said, f'Install it: `pip install "{package}"`.')
    if parts.scheme in WEB and (not host or type_of(parts.path) is None):
        raise BadSource(f"{shown(url)} is of no type that is known", ENDINGS)
