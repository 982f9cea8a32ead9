"""Counts of durations in buckets, cheap to add to and folded into the metrics when they are scraped. Pure."""

from bisect import bisect_left
from typing import Final

BOUNDS_SECONDS: Final = tuple(0.00025 * 2**power for power in range(16))
"""Upper bounds of the buckets: CoreDNS's (0.25 ms, doubling to about 8 s)."""


class Histogram:
    """How many observations fell into each bucket (the last one: more than the highest bound), and their sum."""

    __slots__ = ("counts", "sum_seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_SECONDS) + 1)
        self.sum_seconds = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        """Count `times` observations of `seconds` each."""
        self.counts[bisect_left(BOUNDS_SECONDS, seconds)] += times
        self.sum_seconds += seconds * times
