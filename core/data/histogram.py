"""How long the rows of a dataset are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

WIDTH = 40
"""Characters of the longest bar."""


@dataclass
class Histogram:
    """Counts of lengths, in tokens; as many numbers as there are different lengths."""

    counts: Counter[int] = field(default_factory=Counter)

    def add(self, length: int) -> None:
        """Count a row."""
        self.counts[length] += 1

    def quantile(self, share: float) -> int:
        """Return the least length that this share of all rows does not exceed; 0 where none is."""
        wanted, seen = share * self.counts.total(), 0
        for length in sorted(self.counts):
            seen += self.counts[length]
            if seen >= wanted:
                return length
        return 0

    def bins(self) -> list[tuple[int, int, int]]:
        """Return from where to where each bin goes, both included, and its rows: doubling bins."""
        bits: Counter[int] = Counter()
        for length, count in self.counts.items():
            bits[max(length, 1).bit_length()] += count
        if not bits:
            return []
        return [(2 ** (n - 1), 2**n - 1, bits[n]) for n in range(min(bits), max(bits) + 1)]

    def bars(self) -> list[str]:
        """Return a line of text for each bin."""
        bins = self.bins()
        most = max((count for *_, count in bins), default=0)
        names = [f"{low:,} to {high:,}" for low, high, _ in bins]
        wide = max(map(len, names), default=0)
        lines = []
        for name, (*_, count) in zip(names, bins, strict=True):
            bar = "█" * max(round(WIDTH * count / most), count > 0)
            lines.append(f"{name:>{wide}}  {bar:<{WIDTH}} {count:,}")
        return lines
