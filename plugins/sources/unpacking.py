"""Zstandard, unpacked as it is read (https://datatracker.ietf.org/doc/html/rfc8878)."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

READ_AT_ONCE = 2**17


class Unpacked(io.RawIOBase):
    """The contents of a compressed stream.

    The package's own reader takes a stream that breaks off for one that ends.
    """

    def __init__(self, packed: BinaryIO) -> None:
        import zstandard

        self.packed = packed
        self.new_frame = zstandard.ZstdDecompressor().decompressobj
        self.frame = self.new_frame()
        self.begun = False
        self.held = memoryview(b"")

    def readable(self) -> bool:
        """Return true: a stream that is wrapped is asked for it."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some of the contents into a buffer; return how much that was.

        Raises:
            EOFError: the stream ends within a frame.
        """
        while not self.held:
            piece = self.frame.unused_data if self.frame.eof else b""
            piece = piece or self.packed.read(READ_AT_ONCE)
            if not piece:
                if self.begun and not self.frame.eof:
                    raise EOFError("it breaks off within the compressed data")
                return 0
            if self.frame.eof:
                self.frame = self.new_frame()
            self.begun = True
            self.held = memoryview(self.frame.decompress(piece))
        count = min(len(buffer), len(self.held))
        buffer[:count] = self.held[:count]
        self.held = self.held[count:]
        return count
