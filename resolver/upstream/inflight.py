"""One lookup per question, however many clients ask: a flight has one lookup and any number of waiters.

Flights belong to nobody: a client that goes away cancels none, the others and the cache still want the answer. Their
number is bounded; what does not fit is refused at once rather than queued. Nobody gets it all: a client may wait for
as many as are free for the others (dynamic thresholds, Choudhury and Hahne, 1998), so that one that asks without end
stops at half of what there is, two of them at two thirds, and whoever else comes finds room.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from resolver.upstream.lookup import Lookups, Result
from resolver.upstream.routes import Route
from resolver.upstream.server import Server

MAX_FLIGHTS = 4096
"""Different questions under way: at 900 ms each in the worst case, more than 4,500 failing lookups a second."""
MAX_WAITERS = 16384
"""Clients waiting, all flights together: bounds the memory that an outage can cost, about 1 KiB each."""

T = TypeVar("T")
W = TypeVar("W")


class Flights(Generic[W, T]):
    """`land(key, route, result)` turns a result into what all waiters of the flight get, once per flight.

    `deliver(waiter, landed)` gives it to one of them. They get `defect` where `land` raises: a defect of ours is a
    failure to those who wait, not silence.
    """

    def __init__(
        self,
        lookups: Lookups,
        land: Callable[[bytes, Route[Server], Result], T],
        deliver: Callable[[W, T], None],
        defect: T,
        client_of: Callable[[W], str],
    ) -> None:
        self._lookups = lookups
        self.start = lookups.start
        """Starts the lookup of a flight."""
        self._land = land
        self._deliver = deliver
        self._defect = defect
        self._client_of = client_of
        self._done = self._landed  # bound once, not for each flight
        self._waiters: dict[bytes, list[W]] = {}
        self._held: dict[str, int] = {}
        self.waiting = 0
        self.rejected_total = 0
        """Questions for which there was no room."""
        self.unfair_total = 0
        """Those of them for which there was room, but not for this client."""
        self.joined_total = 0
        """Questions that found their lookup already under way."""

    def __len__(self) -> int:
        return len(self._waiters)

    def join(self, key: bytes, route: Route[Server], waiter: W | None) -> bool:
        """Wait for the answer to a question, starting its lookup if there is none; False: too many already.

        The answer is delivered to `waiter` exactly once, later; None: nobody waits, the answer is for the cache.
        """
        waiters = self._waiters.get(key)
        free = MAX_WAITERS - self.waiting
        if waiters is None:
            free = min(free, MAX_FLIGHTS - len(self._waiters))
        if waiter is None:
            if free <= 0:
                self.rejected_total += 1
                return False
        elif not self._hold(self._client_of(waiter), free):
            return False
        elif waiters is not None:
            waiters.append(waiter)
            self.joined_total += 1
        if waiters is not None:
            return True
        self._waiters[key] = [] if waiter is None else [waiter]
        try:
            self.start(key, route, self._done, "" if waiter is None else self._client_of(waiter))
        except Exception:
            # Whoever asks next must not join a lookup that never began.
            self._release(self._waiters.pop(key))
            raise
        return True

    def _hold(self, client: str, free: int) -> bool:
        """Count one more that waits; False: there is no room, or this client has its share of it."""
        held = self._held.get(client, 0)
        if held >= free:
            self.rejected_total += 1
            self.unfair_total += free > 0
            return False
        self._held[client] = held + 1
        self.waiting += 1
        return True

    def _release(self, waiters: list[W]) -> None:
        held = self._held
        for waiter in waiters:
            client = self._client_of(waiter)
            left = held[client] - 1
            if left:
                held[client] = left
            else:
                del held[client]
        self.waiting -= len(waiters)

    def _landed(self, key: bytes, route: Route[Server], result: Result) -> None:
        waiters = self._waiters.pop(key)
        self._release(waiters)
        try:
            landed = self._land(key, route, result)
        except Exception as error:  # noqa: BLE001 - see the class
            self._lookups.loop.call_exception_handler({"message": "an answer could not be kept", "exception": error})
            landed = self._defect
        for waiter in waiters:
            try:
                self._deliver(waiter, landed)
            except Exception as error:  # noqa: BLE001 - one waiter's trouble must not reach the others
                self._lookups.loop.call_exception_handler({"message": "a reply could not be sent", "exception": error})
