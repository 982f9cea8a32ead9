"""What the engine counts: plain integers in cells that are found once and then only added to. Pure.

A cell stands for one combination of labels. The ready replies keep a reference to theirs, so that counting a hit is one
integer addition; names, labels and sums of the exposed metrics are made from the cells when they are scraped.
"""

from typing import NamedTuple

from resolver.histogram import Histogram
from resolver.message import codes
from resolver.outcome import Drop, Source, Via


class Labels(NamedTuple):
    """What a cell counts replies by."""

    zone: str
    """With its last dot; "" where the query never got as far as a zone."""
    tcp: bool
    family: int
    """4 or 6."""
    qtype: str
    """A name of `codes.TYPE_NAMES` or "other", so that clients cannot make up label values."""
    rcode: int
    source: Source
    kind: str
    """The value of `Kind`: success, nodata, denial, failure."""


class Tallies:
    """All counts of one engine."""

    def __init__(self) -> None:
        self.cells: dict[Labels, list[int]] = {}
        """Replies. Each cell is a list of one number."""
        self._known: dict[tuple[str, Via, int, int, Source, str], list[int]] = {}
        self.dropped: dict[Drop, int] = dict.fromkeys(Drop, 0)
        """Packets without a reply."""
        self.prefetches_total = 0
        self.hit_durations = Histogram()
        """From reading a batch of packets to the end of sending its ready replies."""
        self.durations: dict[str, Histogram] = {}
        """By zone: from reading a query to its reply, for all that had to wait for something."""

    def cell(self, zone: str, via: Via, qtype: int, rcode: int, source: Source, kind: str) -> list[int]:
        """The cell of a combination of labels; add to its only item."""
        known = (zone, via, qtype, rcode, source, kind)
        cell = self._known.get(known)
        if cell is not None:
            return cell
        labels = Labels(zone, via.tcp, via.family, codes.TYPE_NAMES.get(qtype, "other"), rcode, source, kind)
        cell = self.cells.get(labels)
        if cell is None:
            cell = self.cells[labels] = [0]
        if qtype in codes.TYPE_NAMES:  # all others share a cell: clients must not fill a dict with their inventions
            self._known[known] = cell
        return cell

    def took(self, zone: str, seconds: float) -> None:
        """Count the time one reply took."""
        histogram = self.durations.get(zone)
        if histogram is None:
            histogram = self.durations[zone] = Histogram()
        histogram.add(seconds)
