"""Many deadlines behind one timer of the event loop.

Nearly every lookup is answered long before its deadline, so setting one must be cheap and forgetting one free: a
deadline is an entry in a heap, and the loop's timer is set for the first of them only. What is no longer needed is
recognised when its time comes (the callback returns at once).
"""

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from time import monotonic


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
