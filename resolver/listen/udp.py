"""Packets over UDP: read what the kernel has queued, answer what is known at once, let the engine look up the rest.

A query that was asked before in the same bytes is answered from the engine's ready replies: one synchronous stack
without a task, an exception or a log line. A reply that the kernel does not take is counted and forgotten, as a lost
packet would be: its client asks again.

When more waits in the kernel than can be answered soon, clients take turns, and one that floods is let in no further
than its share (`overload`): who asks too much keeps itself waiting and not the others.
"""

import asyncio
import contextlib
import errno
import socket
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from resolver.engine import Engine
from resolver.listen.backlog import Backlog
from resolver.listen.guard import Guard
from resolver.listen.overload import Overload
from resolver.listen.wildcard import Datagrams, Peer, datagrams
from resolver.message import codes
from resolver.outcome import Pending, Reply, Via

if TYPE_CHECKING:
    from resolver.survey.survey import Survey

BATCH = 64  # packets per wake-up: other sockets and lookups get their turn in between
_LOOK_AT_CLOCK = 16
PACKET_BYTES = codes.EDNS_UDP_BYTES  # what our replies say we take; a longer query is cut, and so is a FORMERR


def listen_udp(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, engine: Engine, via: Via, survey: "Survey | None" = None
) -> "UdpListener":
    """The fastest listener that this system and this socket allow; `survey` is told of what it sends."""
    from resolver.listen import batched, mmsg  # noqa: PLC0415 - it builds on this module

    in_batches = mmsg.available and datagrams(sock) is sock
    if survey is not None:
        from resolver.listen import sampled  # noqa: PLC0415 - for those who want to know

        if in_batches:
            return sampled.SampledBatchedListener(loop, sock, engine, via, survey)
        return sampled.SampledUdpListener(loop, sock, engine, via, survey)
    if in_batches:
        return batched.BatchedUdpListener(loop, sock, engine, via)
    return UdpListener(loop, sock, engine, via)


class UdpListener:
    """One UDP socket, which it owns: non-blocking, bound to one address or to all of a family."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, engine: Engine, via: Via) -> None:
        self.guard = Guard(engine, via)
        self.lost: dict[str, int] = {}
        """Replies (or reads) that the kernel refused, by its reason: EAGAIN, ENOBUFS, EPERM, ENETUNREACH..."""
        self._loop = loop
        self.sock = sock
        self._datagrams: Datagrams = datagrams(sock)
        self._engine = engine
        self._ready = via.ready
        self._owed = 0
        self._closing = False
        self._closing_soon = False
        self._given_up = False
        self._settled: asyncio.Event | None = None
        self.overload = Overload(loop, self)

    @property
    def pending(self) -> int:
        """Queries whose replies are being looked up."""
        return self._owed

    @property
    def dropped(self) -> dict[str, int]:
        """Queries that were not answered for want of time, by reason (`Overload.dropped`)."""
        return self.overload.dropped

    async def start(self) -> None:
        """Begin to read."""
        self.overload.start()
        self._loop.add_reader(self.sock, self.read_batch)

    async def close(self, seconds: float, *, queued: bool = True) -> None:
        """Answer what the kernel has queued by now, wait for replies that are being looked up, close the socket.

        While it waits, new queries are answered as far as they can be at once. Whatever is not answered within
        `seconds` is given up. Without `queued` nothing more is read: another process reads this socket. Idempotent.
        """
        if self.sock.fileno() < 0:
            return
        deadline = monotonic() + seconds
        self._loop.remove_reader(self.sock)
        self._closing_soon = True
        await self.overload.end(deadline)
        while queued and self.read_batch() == BATCH:
            if monotonic() >= deadline:
                break
            await asyncio.sleep(0)  # lets lookups finish meanwhile
        self._closing = True
        if self._owed:
            if queued:
                self._loop.add_reader(self.sock, self.read_batch)
            self._settled = asyncio.Event()
            try:
                async with asyncio.timeout(deadline - monotonic()):
                    await self._settled.wait()
            except TimeoutError:
                self._given_up = True
                self._owed = 0
            if queued:
                self._loop.remove_reader(self.sock)
        if queued:
            self._turn_to_others()
            while self.read_batch() == BATCH and monotonic() < deadline:
                pass
        self._close_socket()

    def read_batch(self) -> int:
        """Read and handle up to BATCH packets; how many there were."""
        now = monotonic()
        recvfrom = self._datagrams.recvfrom
        read = hits = 0
        while read < BATCH:
            try:
                packet, peer = recvfrom(PACKET_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                self._count(error)
            else:
                hits += self._answer(packet, peer, now)
            read += 1
        if hits:
            self._engine.spent(hits, monotonic() - now)
        if read == BATCH and not self._closing_soon:
            self.overload.notice()
        return read

    def _answer(self, packet: bytes, peer: Peer, now: float) -> bool:
        """Handle one packet; whether its reply was ready."""
        ready, engine = self._ready.get(packet[2:]), self._engine
        if (
            ready is not None
            and (now < ready.until or engine.renew(ready, now))
            and not (engine.restricted and not engine.allows(peer[0]))
        ):
            ready.tally[0] += 1
            self._send(packet[:2] + ready.next(), peer)
            return True
        self._handle(packet, peer, now)
        return False

    def take(self, backlog: Backlog) -> bool:
        """Read up to BATCH packets into the backlog; whether there were so many."""
        for _ in range(BATCH):
            try:
                backlog.put(*self._datagrams.recvfrom(PACKET_BYTES))
            except BlockingIOError:
                return False
            except OSError as error:
                self._count(error)
        return True

    def serve(self, backlog: Backlog, until: float) -> int:
        """Answer what waits until then (monotonic seconds); how many it was."""
        now = monotonic()
        hits = served = 0
        while (packet := backlog.pop()) is not None:
            hits += self._answer(*packet, now)
            served += 1
            if not served % _LOOK_AT_CLOCK and monotonic() >= until:
                break
        if hits:
            self._engine.spent(hits, monotonic() - now)
        return served

    def _turn_to_others(self) -> None:
        """Have the kernel give what comes from now on to others at this port, or refuse it where there are none.

        What comes between the last read and the close would be lost with the socket. One that is connected is passed
        over for packets from everybody else (and by itself nothing is asked), while what it has queued stays.
        """
        with contextlib.suppress(OSError):  # its address may be gone; then nothing comes
            self.sock.connect(self.sock.getsockname())

    def _settle(self, peer: Peer, reply: bytes) -> None:
        """Send the reply to a query that had to be looked up."""
        if self._given_up:
            return
        self._owed -= 1
        self._send(reply, peer)
        if self._settled is not None and not self._owed:
            self._settled.set()

    def _handle(self, packet: bytes, peer: Peer, now: float) -> None:
        outcome = self.guard.outcome(packet, peer[0], now)
        if isinstance(outcome, Reply):
            self._send(outcome.packet, peer)
        elif isinstance(outcome, Pending):
            self._wait_for(outcome, peer, now)

    def _wait_for(self, pending: Pending, peer: Peer, now: float) -> None:
        if self._closing:
            self._send(self._engine.turn_away(pending), peer)
            return
        self._owed += 1
        pending.respond = partial(self._settle, peer)
        self.guard.ask(pending, now)

    def _send(self, reply: bytes, peer: Peer) -> None:
        try:
            self._datagrams.sendto(reply, peer)
        except OSError as error:
            self._count(error)

    def _close_socket(self) -> None:
        self.overload.count_lost()
        self.sock.close()

    def _count(self, error: OSError) -> None:
        reason = errno.errorcode.get(error.errno or 0, "other")
        self.lost[reason] = self.lost.get(reason, 0) + 1
