"""The most frequent of very many, in a table of fixed size: Space-Saving (Metwally, Agrawal, El Abbadi, 2005). Pure.

What is not in a full table takes the place of the least frequent one, together with its count, of which it may owe all
but what it brought itself (`error`). So whatever makes up more than one part in `most` of all is in the table, and no
count is too small. Counts less their errors, and `others`, add up to exactly what was added.
"""

from collections.abc import Hashable, Iterator
from heapq import heappush, heapreplace
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Row:
    """What is known of one of them."""

    __slots__ = ("before", "count", "error", "recent")

    def __init__(self, count: int, error: int, recent: int) -> None:
        self.count = count
        self.error = error
        self.recent = recent
        """In this window."""
        self.before = 0
        """In the window before."""

    @property
    def sure(self) -> int:
        """How often it was met for certain."""
        return self.count - self.error


class Sketch(Generic[K]):
    """`add`, and now and then `turn` to another window."""

    __slots__ = ("_heap", "_number", "_rows", "most", "others")

    def __init__(self, most: int) -> None:
        self.most = most
        self.others = 0
        """What is known for certain of those that are in the table no longer."""
        self._rows: dict[K, Row] = {}
        self._heap: list[tuple[int, int, K]] = []
        """Each key once, with a count that may be from before: it is put right when it gets to the top."""
        self._number = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[tuple[K, Row]]:
        return iter(list(self._rows.items()))

    def get(self, key: K) -> Row | None:
        """What is known of one; None: it is not in the table."""
        return self._rows.get(key)

    def add(self, key: K, weight: int = 1) -> None:
        """It was met so many times."""
        row = self._rows.get(key)
        if row is not None:
            row.count += weight
            row.recent += weight
            return
        self._number += 1
        if len(self._rows) < self.most:
            self._rows[key] = Row(weight, 0, weight)
            heappush(self._heap, (weight, self._number, key))
            return
        least = self._least()
        self.others += self._rows.pop(least[2]).sure
        self._rows[key] = Row(least[0] + weight, least[0], weight)
        heapreplace(self._heap, (least[0] + weight, self._number, key))

    def turn(self) -> None:
        """Begin another window."""
        for row in self._rows.values():
            row.before, row.recent = row.recent, 0

    def _least(self) -> tuple[int, int, K]:
        heap, rows = self._heap, self._rows
        while True:
            count, number, key = heap[0]
            now = rows[key].count
            if now == count:
                return heap[0]
            heapreplace(heap, (now, number, key))
