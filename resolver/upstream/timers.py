"""Many deadlines behind one timer of the event loop.

A deadline is an entry in a heap, and the loop's timer is set for the first of them only. What is no longer needed is
recognised when its time comes (the callback returns at once). What always waits for the same length of time, as lookups
do for their first answer, needs no heap: `Patience` keeps it in the order of its coming.
"""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from time import monotonic
from typing import Protocol


class Timers:
    """Calls `callback(now)` at or shortly after a given time of `clock`, which must run with the loop's."""

    def __init__(self, loop: AbstractEventLoop, clock: Callable[[], float] = monotonic) -> None:
        self._loop = loop
        self._clock = clock
        self._heap: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = count()
        self._timer: TimerHandle | None = None
        self._timer_at = float("inf")

    def at(self, when: float, callback: Callable[[float], None]) -> None:
        """Call `callback` once when the time has come; if it raises, the loop reports it and the others are called."""
        heappush(self._heap, (when, next(self._order), callback))
        if when < self._timer_at:
            self._set(when)

    def close(self) -> None:
        """Forget all."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _set(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._loop.call_later(max(when - self._clock(), 0), self._ring)

    def _ring(self) -> None:
        self._timer, self._timer_at = None, float("inf")
        # uvloop's timers have a resolution of a millisecond: what is due within it is due now.
        now = self._clock() + 0.001
        heap = self._heap
        while heap and heap[0][0] <= now:
            callback = heappop(heap)[2]
            try:
                callback(now)
            except Exception as error:  # noqa: BLE001 - one callback's trouble must not reach the other deadlines
                self._loop.call_exception_handler({"message": "a deadline could not be met", "exception": error})
        if heap and heap[0][0] < self._timer_at:
            self._set(heap[0][0])


class Patient(Protocol):
    """What `Patience` waits for."""

    def overdue(self, now: float) -> None:
        """It has taken too long."""


class Patience:
    """Calls `overdue(now)` of everything that began `seconds` ago and has not ended.

    Nearly everything ends long before, so both cost one dict operation, and the timer goes off once in `seconds`.
    """

    __slots__ = ("_began", "_seconds", "_timers", "_waiting")

    def __init__(self, timers: Timers, seconds: float) -> None:
        self._timers = timers
        self._seconds = seconds
        self._began: dict[Patient, float] = {}
        self._waiting = False

    def begin(self, patient: Patient, now: float) -> None:
        """Wait for this from now on."""
        self._began[patient] = now
        if not self._waiting:
            self._waiting = True
            self._timers.at(now + self._seconds, self._look)

    def end(self, patient: Patient) -> None:
        """It has ended, in time or not."""
        self._began.pop(patient, None)

    def _look(self, now: float) -> None:
        began = self._began
        self._waiting = False
        while began:
            patient = next(iter(began))
            due = began[patient] + self._seconds
            if due > now:
                self._waiting = True
                self._timers.at(due, self._look)
                return
            del began[patient]
            self._timers.at(due, patient.overdue)  # in this same turn, and its exceptions are its own
