"""The supervisor's loop: descriptors, timers and signals, in as little memory as Python allows.

asyncio would cost the parent 3 MiB for a process that wakes up a few times per second. It uses poll and not epoll: an
epoll instance would be shared with the forked workers.
"""

import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count
from time import monotonic

Callback = Callable[[], None]


class Timer:
    """Something that will be called; `cancel` prevents it."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callback) -> None:
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        """Do not call it. Idempotent."""
        self.callback = None


class Loop:
    """`run` until `stop`. Callbacks may do what they like; what they raise ends the run."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._readers: dict[int, Callback] = {}
        self._writers: dict[int, Callback] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = count()
        self._signals: dict[int, Callback] = {}
        self._before: dict[int, object] = {}
        self._wakeup: tuple[int, int] | None = None
        self._running = False

    def watch(self, descriptor: int, callback: Callback) -> None:
        """Call back whenever there is something to read (or the other end is gone)."""
        self._readers[descriptor] = callback
        self._register(descriptor)

    def watch_room(self, descriptor: int, callback: Callback | None) -> None:
        """Call back whenever there is room to write; None: no longer."""
        if callback is None:
            if self._writers.pop(descriptor, None) is None:
                return
        else:
            self._writers[descriptor] = callback
        self._register(descriptor)

    def forget(self, descriptor: int) -> None:
        """Watch it no longer. Idempotent."""
        self._writers.pop(descriptor, None)
        if self._readers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def after(self, seconds: float, callback: Callback) -> Timer:
        """Call back once, that much later."""
        timer = Timer(callback)
        heappush(self._timers, (monotonic() + seconds, next(self._numbers), timer))
        return timer

    def on_signal(self, number: int, callback: Callback) -> None:
        """Call back from the loop after a signal, instead of what it does by itself."""
        if self._wakeup is None:
            self._wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
            signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
            self.watch(self._wakeup[0], self._signalled)
        self._signals[number] = callback
        self._before.setdefault(number, signal.signal(number, lambda _number, _frame: None))

    def run(self) -> None:
        """Serve until `stop`."""
        self._running = True
        while self._running:
            self.turn()

    def stop(self) -> None:
        """End `run` after this turn."""
        self._running = False

    def turn(self, most_seconds: float = 60.0) -> None:
        """Wait for something to happen, at most so long, and call back."""
        wait = most_seconds if not self._timers else min(max(self._timers[0][0] - monotonic(), 0.0), most_seconds)
        for descriptor, happened in self._poll.poll(wait * 1000 + 1):
            writer = self._writers.get(descriptor)
            if happened & select.POLLOUT and writer is not None:
                writer()
            reader = self._readers.get(descriptor)
            if happened & ~select.POLLOUT and reader is not None:
                reader()
        now = monotonic()
        while self._timers and self._timers[0][0] <= now:
            callback = heappop(self._timers)[2].callback
            if callback is not None:
                callback()

    def close(self) -> None:
        """Give the signals back and close what is its own; also for a forked child, which has to leave it alone."""
        if self._wakeup is not None:
            signal.set_wakeup_fd(-1)
            for number, before in self._before.items():
                signal.signal(number, before)  # type: ignore[arg-type]  # what signal.signal gave
            for descriptor in self._wakeup:
                os.close(descriptor)
            self._wakeup = None

    def _register(self, descriptor: int) -> None:
        self._poll.register(descriptor, select.POLLIN | (select.POLLOUT if descriptor in self._writers else 0))

    def _signalled(self) -> None:
        assert self._wakeup is not None  # noqa: S101 - it is what called
        numbers: set[int] = set()
        with suppress(BlockingIOError):
            while data := os.read(self._wakeup[0], 512):
                numbers.update(data)
        for number in sorted(numbers):
            if number in self._signals:
                self._signals[number]()
