"""Twice a second: how late the event loop is, and how many replies had to do without any server of their zone."""

import asyncio
from collections import deque
from time import monotonic

from resolver.engine import Engine
from resolver.outcome import Source

PULSE_SECONDS = 0.5
_WINDOW = 120  # beats: one minute
_WITHOUT_SERVER = (Source.STALE, Source.FAILURE)


class Pulse:
    """Beats on a loop from `start` to `close`; `beat` may also be called by hand."""

    def __init__(self, engine: Engine) -> None:
        self.last_beat: float | None = None
        """When it last beat (monotonic seconds); None before the first time."""
        self.broken_total = 0
        """Stale answers and failures given while all servers of their zone were down, to within a beat."""
        self._engine = engine
        self._lags: deque[float] = deque(maxlen=_WINDOW)
        self._replies_without_server: dict[str, int] = {}  # by zone, for those whose servers are all down
        self._timer: asyncio.TimerHandle | None = None

    @property
    def lag_seconds(self) -> float:
        """How late the latest beat was."""
        return self._lags[-1] if self._lags else 0.0

    @property
    def worst_lag_seconds(self) -> float:
        """How late the latest of the beats of one minute was."""
        return max(self._lags, default=0.0)

    def start(self) -> None:
        """Beat on the running loop."""
        if self._timer is None:
            self._schedule(asyncio.get_running_loop())

    def close(self) -> None:
        """Stop. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def beat(self, due: float, now: float) -> None:
        """Note that what was due at `due` happens at `now`."""
        self.last_beat = now
        self._lags.append(max(now - due, 0.0))
        self._count_broken()

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(PULSE_SECONDS, self._tick, loop, monotonic() + PULSE_SECONDS)

    def _tick(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._schedule(loop)
        self.beat(due, monotonic())

    def _count_broken(self) -> None:
        down = {
            route.label
            for route in self._engine.routes.all
            if route.servers and all(server.health.down for server in route.servers)
        }
        if not down and not self._replies_without_server:
            return
        now = dict.fromkeys(down, 0)
        for labels, cell in self._engine.tallies.cells.items():
            if labels.zone in down and labels.source in _WITHOUT_SERVER:
                now[labels.zone] += cell[0]
        for zone, count in now.items():
            self.broken_total += count - self._replies_without_server.get(zone, count)
        self._replies_without_server = now
