"""Lookups that wait for a turn in their zone's budget: `budget` decides whose it is, this calls when it is there.

A lookup waits for as long as there would still be time for one try; then it is refused.
"""

from collections.abc import Callable
from typing import Protocol

from resolver.upstream.budget import Budget
from resolver.upstream.timers import Patience, Timers

_LEAST_PAUSE_SECONDS = 0.002  # timers ring up to a millisecond early: what is due at once would ring without end


class Lookup(Protocol):
    """What waits."""

    def send_first(self, now: float) -> None:
        """It is its turn."""

    def refused(self) -> None:
        """It does not get one."""


class Deferred:
    """A place in the queue. Implements `timers.Patient`."""

    __slots__ = ("_budget", "_client", "_patience", "lookup")

    def __init__(self, lookup: Lookup, budget: "Budget[Deferred]", client: str, patience: Patience) -> None:
        self.lookup = lookup
        self._budget = budget
        self._client = client
        self._patience = patience

    def begin(self, now: float) -> bool:
        """Queue up; False: there are too many already."""
        if not self._budget.wait(self._client, self):
            return False
        self._patience.begin(self, now)
        return True

    def turn(self, now: float) -> None:
        """It is."""
        self._patience.end(self)
        self.lookup.send_first(now)

    def overdue(self, now: float) -> None:
        """See `timers.Patient`."""
        self._budget.leave(self._client, self)
        self.lookup.refused()


class Turns:
    """Gives turns, for as long as somebody waits."""

    def __init__(self, timers: Timers, clock: Callable[[], float]) -> None:
        self._timers = timers
        self._clock = clock
        self._due: set[Budget[Deferred]] = set()

    def defer(self, lookup: Lookup, budget: Budget[Deferred], client: str, patience: Patience) -> bool:
        """Have a lookup wait; False: there is no room, and it will not be called."""
        now = self._clock()
        if not Deferred(lookup, budget, client, patience).begin(now):
            return False
        self._set(budget, now)
        return True

    def _set(self, budget: Budget[Deferred], now: float) -> None:
        if budget not in self._due:
            self._due.add(budget)
            self._timers.at(max(budget.ready_at(now), now + _LEAST_PAUSE_SECONDS), lambda now: self._give(budget, now))

    def _give(self, budget: Budget[Deferred], now: float) -> None:
        self._due.discard(budget)
        try:
            while (deferred := budget.following(now)) is not None:
                deferred.turn(now)
        finally:
            if budget.waiting:
                self._set(budget, now)
