"""How soon a worker is started again: at once, as long as that does not become a habit. Pure; `now` is an argument.

A worker that was killed now and then is replaced without a pause, because queries wait. One that keeps dying would cost
a core for nothing, so each replacement takes one credit, credit comes back with time, and without credit the pauses
double.
"""

from typing import Final

CREDIT: Final = 10.0
"""Replacements in a row that need no pause."""
CREDIT_SECONDS: Final = 1.5
"""After so long there is one more."""
SHORTEST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 5.0


class Pace:
    """For one place in the fleet."""

    def __init__(self, now: float) -> None:
        self._credit = CREDIT
        self._at = now
        self._pause_seconds = 0.0

    def pause_seconds(self, now: float, *, served: bool) -> float:
        """How long to wait before the next start. `served`: whether the one that died had answered."""
        self._credit = min(self._credit + (now - self._at) / CREDIT_SECONDS, CREDIT)
        self._at = now
        price = 1.0 if served else 2.0
        if self._credit >= price:
            self._credit -= price
            self._pause_seconds = 0.0
        else:
            self._pause_seconds = min(max(self._pause_seconds * 2, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        return self._pause_seconds
