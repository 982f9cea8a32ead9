"""Which of a sketch's keys have a metric of their own: few at a time, and none that comes and goes. Pure.

A counter must never fall, neither that of a key nor that of all others together. So a key counts from the moment it
gets a seat; what it had before stays with the others, and what it has goes to them when it loses its seat. It loses it
only to one that is twice as busy.
"""

from collections.abc import Hashable, Mapping
from typing import Final, Generic, TypeVar

from resolver.survey.sketch import Sketch

SEATS: Final = 32
"""Pods, and namespaces, with a metric of their own."""
_BUSIER = 2

K = TypeVar("K", bound=Hashable)


class Seats(Generic[K]):
    """`choose` once in a while, with the window of the sketch still open."""

    def __init__(self, sketch: Sketch[K], most: int = SEATS) -> None:
        self._sketch = sketch
        self._most = most
        self._taken: dict[K, int] = {}
        """With the count from before."""

    def counts(self) -> Mapping[K, int]:
        """Of those that have a seat; everything else is what is missing to the total."""
        found = {}
        for key, before in self._taken.items():
            row = self._sketch.get(key)
            if row is not None and row.sure >= before:
                found[key] = row.sure - before
        return found

    def choose(self) -> None:
        """Give free seats to the busiest, and those of the least busy to who is much busier."""
        busy = {key: row.recent for key, row in self._sketch}
        for key, before in list(self._taken.items()):
            row = self._sketch.get(key)
            if row is None or row.sure < before:  # it was out of the table, and perhaps is in it anew
                del self._taken[key]
        waiting = sorted((key for key in busy if key not in self._taken), key=lambda key: -busy[key])
        for key in waiting:
            if len(self._taken) >= self._most:
                least = min(self._taken, key=lambda taken: busy[taken])
                if busy[key] <= _BUSIER * busy[least]:
                    return
                del self._taken[least]
            row = self._sketch.get(key)
            self._taken[key] = 0 if row is None else row.sure
