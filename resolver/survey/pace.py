"""How many replies one of the sample stands for: where they are few all count, where they are many, some. Pure.

A sample costs as much as a few ready replies, so no more than some 500 are taken in a second, but for a first thousand.
"""

from collections.abc import Callable
from typing import Final

SAMPLES_PER_SECOND: Final = 500.0
_MOST_SAVED = 1000.0
_SCARCE = 100.0  # below this many, each eighth of it doubles the distance between two samples
_DOUBLINGS = 8


class Pace:
    """`due` for each batch. `random` is uniform in [0, 1)."""

    __slots__ = ("_at", "_clock", "_left", "_owed", "_random", "_saved")

    def __init__(self, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._clock = clock
        self._random = random
        self._saved = _MOST_SAVED
        self._at = clock()
        self._left = 1
        self._owed = 0

    def due(self, count: int) -> int:
        """So many replies were sent: how many the next sample stands for, or 0 if none is to be taken now."""
        self._owed += count
        self._left -= 1
        if self._left:
            return 0
        now = self._clock()
        self._saved = max(min(self._saved + (now - self._at) * SAMPLES_PER_SECOND, _MOST_SAVED) - 1, 0.0)
        self._at = now
        if self._saved >= _SCARCE:
            self._left = 1
        else:
            mean: int = 1 << int((_SCARCE - self._saved) * _DOUBLINGS / _SCARCE)
            self._left = 1 + int(self._random() * (2 * mean - 1))
        owed, self._owed = self._owed, 0
        return owed
