"""Which texts of many are the same, and which nearly: hashes, and MinHash (Broder, 1997).

A text is the set of its shingles, the runs of SHINGLE characters; what two of them share is
estimated from BINS hashes each, taken with one permutation (Li, Owen and Zhang, 2012, densified as
by Shrivastava and Li, 2014). Texts of which all hashes of one of BANDS bands agree are compared. Of
texts that share THRESHOLD of their shingles, this finds 95 %, and of those that share 0.9, all.
Signatures lie in a file, 256 bytes for each text; in memory are 16 bytes for each.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from array import array
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

SHINGLE = 5
"""Characters of a shingle."""
THRESHOLD = 0.8
"""The share of their shingles that two texts have in common, from which on they are near."""
FEWEST = 20
"""Shingles of a text that is compared; of fewer, one other word is another text."""
BINS, BANDS = 128, 16
ROUNDS = 4
"""How often those of a band that are not near its first one are compared among themselves."""

Hashes = NDArray[np.uint64]
Signatures = NDArray[np.uint16]
_SPACE = re.compile(r"\s+")
_BIN_BITS = 7
_MIXERS = [np.uint64(n) for n in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0x9E3779B97F4A7C15)]


class Pair(NamedTuple):
    """A text, and the earlier one that it is like; numbers count from 0."""

    number: int
    earlier: int


def text_hash(text: str) -> int:
    """Return 64 bits that differ where texts do."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())


class Sameness:
    """Finds texts that are the same, by their hashes alone."""

    def __init__(self) -> None:
        """Begin with none."""
        self._hashes = array("Q")

    def add(self, text: str) -> None:
        """Take the next text."""
        self._hashes.append(text_hash(text))

    def pairs(self) -> Iterator[Pair]:
        """Yield each text that an earlier one is the same as, with the first such one."""
        hashes = np.frombuffer(self._hashes, np.uint64)
        for group in _groups(hashes):
            for number in group[1:]:
                yield Pair(int(number), int(group[0]))


class Nearness:
    """Finds texts that are nearly the same; it is closed after use, as a file is."""

    def __init__(self) -> None:
        """Begin with none."""
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as this)
        self._numbers = array("Q")
        self._count = 0

    def __enter__(self) -> Nearness:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, text: str) -> None:
        """Take the next text."""
        shingles = shingles_of(text)
        if len(shingles) >= FEWEST:
            self._file.write(signature(shingles).tobytes())
            self._numbers.append(self._count)
        self._count += 1

    def pairs(self) -> list[Pair]:
        """Return each text that an earlier one is near to, with the first that was found."""
        if not self._numbers:
            return []
        self._file.flush()
        numbers = np.frombuffer(self._numbers, np.uint64)
        signatures = np.memmap(self._file, np.uint16, "r", shape=(len(numbers), BINS))
        earlier = np.arange(len(numbers))
        width = BINS // BANDS
        for band in range(BANDS):
            keys = _keys(signatures[:, band * width : (band + 1) * width])
            for group in _groups(keys):
                _link(group, signatures, earlier)
        near = np.flatnonzero(earlier != np.arange(len(numbers)))
        return [Pair(int(numbers[n]), int(numbers[earlier[n]])) for n in near]


def shingles_of(text: str) -> Hashes:
    """Return the hashes of a text's shingles, each once; capitals and white space count for little.

    Args:
        text: any text.
    """
    plain = _SPACE.sub(" ", text).strip().casefold()
    codes = np.frombuffer(plain.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    count = len(codes) - SHINGLE + 1
    if count < 1:
        return np.zeros(0, np.uint64)
    hashes = np.zeros(count, np.uint64)
    for at in range(SHINGLE):
        hashes = _mixed(hashes + codes[at : at + count])
    return np.unique(hashes)


def signature(shingles: Hashes) -> Signatures:
    """Return BINS numbers of a set of shingles; two sets agree in as many as they share."""
    bins = (shingles >> np.uint64(64 - _BIN_BITS)).astype(np.int64)
    # shingles are sorted, so the first of a bin is its least
    filled, firsts = np.unique(bins, return_index=True)
    values = shingles[firsts] << np.uint64(_BIN_BITS)
    # an empty bin takes what stands in the next one that is filled, changed by the distance
    place = np.searchsorted(filled, np.arange(BINS)) % len(filled)
    distance = (filled[place] - np.arange(BINS)) % BINS
    moved = _mixed(values[place] + distance.astype(np.uint64) * _MIXERS[2])
    return (moved >> np.uint64(48)).astype(np.uint16)


def likeness(one: Signatures, others: Signatures) -> NDArray[np.float64]:
    """Return the share of its shingles that a text is estimated to have in common with others."""
    found: NDArray[np.float64] = (others == one).mean(axis=-1)
    return found


def _mixed(values: Hashes) -> Hashes:
    """Return other numbers, each of whose bits depends on all bits (splitmix64; Steele, 2014)."""
    values = (values ^ (values >> np.uint64(30))) * _MIXERS[0]
    values = (values ^ (values >> np.uint64(27))) * _MIXERS[1]
    return values ^ (values >> np.uint64(31))


def _keys(band: Signatures) -> Hashes:
    keys = np.zeros(len(band), np.uint64)
    for column in range(band.shape[1]):
        keys = _mixed((keys + _MIXERS[2]) ^ band[:, column].astype(np.uint64))
    return keys


def _groups(keys: Hashes) -> Iterator[NDArray[np.int64]]:
    """Yield the places of equal keys, where there are several, from the first on."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(keys) else order
    ends = np.r_[begins[1:], len(keys)]
    for begin, end in zip(begins[ends - begins > 1], ends[ends - begins > 1], strict=True):
        yield order[begin:end]


def _link(group: NDArray[np.int64], signatures: Signatures, earlier: NDArray[np.int64]) -> None:
    """Put down which of a group are near to an earlier one of it."""
    for _ in range(ROUNDS):
        group = group[(earlier[group] == group)]
        if len(group) < 2:  # noqa: PLR2004 (a pair)
            return
        first, others = group[0], group[1:]
        near = likeness(signatures[first], signatures[others]) >= THRESHOLD
        earlier[others[near]] = first
        group = others[~near]
