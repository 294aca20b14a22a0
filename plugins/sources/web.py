"""A file of the web, read by Python's own HTTP client while it arrives."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import netrc
import urllib.error
import urllib.request
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from luthier.core.data.dataset import shown
from luthier.plugins.sources.reading import DataFile
from luthier.plugins.sources.stores import unreachable

SECONDS = 60
"""How long a server may be silent."""
STATES = ("ETag", "Last-Modified", "Content-Length")
"""Headers that change when a file does."""


def web_file(url: str) -> tuple[list[DataFile], str]:
    """Return the file at a URL, and what changes whenever it does.

    Raises:
        BadData: it cannot be reached.
    """
    try:
        with _opened(url) as stream:
            states = [stream.headers.get(name, "") for name in STATES]
            digest = hashlib.sha256("\n".join((shown(url), *states)).encode())
            if not any(states[:2]):
                # nothing else tells of a change
                while piece := stream.read(2**20):
                    digest.update(piece)
    except (OSError, http.client.HTTPException) as fault:
        raise unreachable(url, fault) from fault
    return [DataFile(shown(url), urlsplit(url).path, partial(_buffered, url))], digest.hexdigest()


def _buffered(url: str) -> BinaryIO:
    try:
        return cast("BinaryIO", io.BufferedReader(_opened(url)))
    except (OSError, http.client.HTTPException) as fault:
        raise unreachable(url, fault) from fault


def _opened(url: str) -> _Arriving:
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    request = urllib.request.Request(bare, headers={"Accept-Encoding": "identity"})  # noqa: S310 - the scheme is https or http
    if login := _login(parts):
        # sent to this host alone, not to one that it sends us on to
        given = base64.b64encode(":".join(login).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {given}")
    try:
        return _Arriving(urllib.request.urlopen(request, timeout=SECONDS))  # noqa: S310 - as above
    except urllib.error.HTTPError as refusal:
        refusal.close()
        raise


def _login(parts: Any) -> tuple[str, str] | None:
    """Return the name and password of a URL, or those that ~/.netrc has for its host."""
    if parts.username is not None:
        return unquote(parts.username), unquote(parts.password or "")
    with suppress(OSError, netrc.NetrcParseError):
        found = netrc.netrc().hosts.get(parts.hostname)
        return (found[0], found[2]) if found else None
    return None


class _Arriving(io.RawIOBase):
    """An answer as it arrives; the client itself takes one that breaks off for one that ends."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.answer, self.headers = answer, answer.headers
        length = answer.headers.get("Content-Length")
        self.missing = int(length) if length is not None else None

    def readable(self) -> bool:
        """Return true: a stream that is wrapped is asked for it."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has arrived into a buffer; return how much that was."""
        try:
            count = self.answer.readinto(buffer)
        except http.client.HTTPException as fault:
            raise ConnectionError(f"the connection broke off ({fault})") from fault
        if self.missing is not None:
            self.missing -= count
            if not count and len(buffer) and self.missing > 0:
                raise ConnectionError(f"the connection broke off {self.missing} bytes too early")
        return count

    def close(self) -> None:
        """End the connection."""
        self.answer.close()
        super().close()
