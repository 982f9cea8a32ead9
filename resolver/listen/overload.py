"""What a UDP listener does while more comes in than can be answered: clients take turns, and floods stay outside.

Two steps, each for as long as it is needed. When much waits in the socket, it is read into a queue for each client
(`backlog`), and some of it answered, in turns; so nobody waits behind whoever sends most. When packets are lost all the
same, clients that send more than a fair share (`shares`) have only that much of it let in by the kernel (`filters`), so
that time is left for the others and the socket's queue is short. The first is over in milliseconds, for bursts that
will be answered; the second goes by what arrives, and ends by itself.
"""

import asyncio
import logging
import socket
from struct import Struct
from time import monotonic
from typing import Protocol

from resolver.listen import filters
from resolver.listen.backlog import Backlog
from resolver.listen.shares import Shares

_log = logging.getLogger(__name__)

DEEP_BYTES = 160 * 1024
"""Of the kernel's memory, waiting in a socket: some 200 queries, which take 2 ms to answer. More is too much."""
DRAINED_BATCHES = 16  # of packets read in one turn while too much waits
TURN_SECONDS = 0.001  # of answering in one turn then, at least,
LONGEST_TURN_SECONDS = 0.01  # and at most
PERIOD_SECONDS = 0.05  # between two looks at the shares
TEND_SECONDS = 10.0  # between two looks whether a filter is left on the socket that nobody cares for
_LOG_SECONDS = 10.0  # no more often than this
_SO_MEMINFO = 55  # <asm-generic/socket.h>; its values: <linux/sock_diag.h>
_MEMINFO = Struct("=2I24xI")  # memory that holds packets, how much there may be, packets that were not queued
_COUNTER = 0xFFFFFFFF  # it is of 32 bits


class Reader(Protocol):
    """A listener, as overload needs it."""

    sock: socket.socket

    def read_batch(self) -> int:
        """Read and answer, as without overload."""

    def take(self, backlog: Backlog) -> bool:
        """Read a batch into the backlog; whether it was a full one."""

    def serve(self, backlog: Backlog, until: float) -> int:
        """Answer what waits until then (monotonic seconds); how many it was."""


class Overload:
    """One listener's; `notice` after a full batch begins what has to begin."""

    def __init__(self, loop: asyncio.AbstractEventLoop, reader: Reader) -> None:
        self.backlog = Backlog()
        """What waits for its turn."""
        self.shares = Shares()
        self._loop = loop
        self._reader = reader
        self._sock = reader.sock
        self._turn: asyncio.Handle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tending: asyncio.TimerHandle | None = None
        self._filtered = False
        self._answered_until = 0.0
        """When the last turn of answering ended; monotonic seconds."""
        self._not_queued = 0
        """What the socket's counter said last."""
        self._lost = {"socket": 0, "filter": 0}
        self._period = _Period(0.0)
        self._next_log = 0.0
        self._logged = False

    @property
    def active(self) -> bool:
        """Whether clients take turns, or some are limited."""
        return self._timer is not None

    @property
    def dropped(self) -> dict[str, int]:
        """Queries that were not answered for want of time: `socket`, they found the kernel's queue full; `share`, their
        client had most of what waited; `filter`, their client sent more than its share, and the kernel dropped them.
        """
        self.count_lost()
        return {**self._lost, "share": self.backlog.dropped_total}

    def start(self) -> None:
        """A process that read this socket before may have left a filter, and what it lost is not ours."""
        filters.detach(self._sock)
        self._not_queued = self._queue()[2]
        self._tending = self._loop.call_later(TEND_SECONDS, self._tend)

    def notice(self) -> None:
        """After a full batch: look how much waits."""
        waiting, room, _ = self._queue()
        if not self.active and waiting > min(DEEP_BYTES, room // 2):
            self._begin(monotonic())

    async def end(self, deadline: float) -> None:
        """Answer what was read, and let everybody in."""
        if self._tending is not None:
            self._tending.cancel()
        if not self.active:
            return
        self._stop()
        while len(self.backlog) and (now := monotonic()) < deadline:
            self._reader.serve(self.backlog, now + TURN_SECONDS)
            await asyncio.sleep(0)

    def _tend(self) -> None:
        """A predecessor that was killed while both read this socket cannot take its filter off."""
        if not self._filtered:
            filters.detach(self._sock)
        self._tending = self._loop.call_later(TEND_SECONDS, self._tend)

    def _begin(self, now: float) -> None:
        self._loop.remove_reader(self._sock)
        self._turn = self._loop.call_soon(self._take_turn)
        self._answered_until = now
        self._period = _Period(now, self._lost_so_far())
        self._timer = self._loop.call_later(PERIOD_SECONDS, self._review)

    def _stop(self) -> None:
        """Nothing of this any more; the listener may read as ever."""
        if self._turn is not None:
            self._turn.cancel()
        elif self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
        if self._timer is not None:
            self._timer.cancel()
        self._turn = self._timer = None
        self._limit()

    def _take_turn(self) -> None:
        """Read what waits, answer for a while, each client in its turn.

        For as long as all else took since the last turn: names that expired while the process stood still have to be
        looked up, and other programs want the processor, too. With less than that, more comes in than is answered.
        """
        period, backlog = self._period, self.backlog
        period.awake(monotonic())
        for _ in range(DRAINED_BATCHES):
            if not self._reader.take(backlog):
                break
            backlog.trim()
        now = monotonic()
        others = min(now - self._answered_until, LONGEST_TURN_SECONDS)
        period.served += self._reader.serve(backlog, now + max(others, TURN_SECONDS))
        self._answered_until = monotonic()
        waited = self._turn is None
        if len(backlog):
            if waited:
                self._loop.remove_reader(self._sock)
            self._turn = self._loop.call_soon(self._take_turn)
            return
        period.asleep(monotonic())
        if not waited:
            self._turn = None
            self._loop.add_reader(self._sock, self._take_turn)

    def _review(self) -> None:
        """A period is over: what everybody's share is now, or that all this is over."""
        now, period = monotonic(), self._period
        lost = self._lost_so_far()
        seconds = now - period.began
        self.shares.review(
            self.backlog.counted(), period.served, seconds, period.idle_until(now) / seconds, lost=lost > period.lost
        )
        self._limit()
        self._tell(now)
        if not (self._filtered or len(self.backlog) or self._turn is not None):
            self._stop()
            self._loop.add_reader(self._sock, self._reader.read_batch)
            return
        self._period = _Period(now, self._lost_so_far(), asleep_since=None if self._turn is not None else now)
        self._timer = self._loop.call_later(PERIOD_SECONDS, self._review)

    def _limit(self) -> None:
        """Have the kernel keep to the shares, as long as the timer runs."""
        self.count_lost()
        passing = self.shares.passing if self.active else {}
        if passing:
            # Each time anew: another process that reads this socket may have taken it off.
            self._filtered = filters.attach(self._sock, passing)
        elif self._filtered:
            filters.detach(self._sock)
            self._filtered = False

    def _lost_so_far(self) -> int:
        """Packets lost that no share asked for."""
        self.count_lost()
        return self._lost["socket"] + self.backlog.dropped_total

    def count_lost(self) -> None:
        """Take over what the kernel counts, full queue or filter, in one number; with a filter the queue is short."""
        not_queued = self._queue()[2]
        if self._sock.fileno() >= 0:
            self._lost["filter" if self._filtered else "socket"] += (not_queued - self._not_queued) & _COUNTER
            self._not_queued = not_queued

    def _queue(self) -> tuple[int, int, int]:
        """Of the socket: bytes of memory that hold packets, how many there may be, packets that were not queued."""
        try:
            waiting, room, lost = _MEMINFO.unpack(self._sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
        except OSError:  # Linux before 4.12, or none; or the socket is closed
            return 0, 0, self._not_queued
        return waiting, room, lost

    def _tell(self, now: float) -> None:
        """Log that somebody floods, and that nobody does any more; not every time where that changes all the time."""
        shares = self.shares
        if shares.passing and not self._logged and now >= self._next_log:
            self._logged, self._next_log = True, now + _LOG_SECONDS
            client = max(shares.sending, key=lambda client: shares.sending[client])
            fields = {
                "client": client, "queries_per_second": round(shares.sending[client]), "clients": len(shares.passing),
                "share": round(shares.passing[client], 3),
            }  # fmt: skip
            _log.warning("%s", "a client floods: the kernel lets a share of its queries in", extra={"fields": fields})
        elif self._logged and not shares.passing:
            self._logged = False
            fields = {"dropped_total": self._lost["filter"]}
            _log.info("%s", "no client floods any more: all queries are let in", extra={"fields": fields})


class _Period:
    """What happens between two looks."""

    def __init__(self, began: float, lost: int = 0, asleep_since: float | None = None) -> None:
        self.began = began
        self.lost = lost
        """How many packets had been lost when it began."""
        self.served = 0
        self._idle = 0.0
        self._asleep_since = asleep_since

    def awake(self, now: float) -> None:
        if self._asleep_since is not None:
            self._idle += now - self._asleep_since
            self._asleep_since = None

    def asleep(self, now: float) -> None:
        self._asleep_since = now

    def idle_until(self, now: float) -> float:
        """Seconds in which nothing was there to be done."""
        return self._idle if self._asleep_since is None else self._idle + now - self._asleep_since
