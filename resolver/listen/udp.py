"""Packets over UDP: read what the kernel has queued, answer what is known at once, let the engine look up the rest.

A query that was asked before in the same bytes is answered from the engine's ready replies: one synchronous stack
without a task, an exception or a log line. A reply that the kernel does not take is counted and forgotten, as a lost
packet would be: its client asks again.
"""

import asyncio
import errno
import socket
from functools import partial
from time import monotonic

from resolver.engine import Engine
from resolver.listen.guard import Guard
from resolver.listen.wildcard import Datagrams, Peer, datagrams
from resolver.message import codes
from resolver.outcome import Pending, Reply, Via

BATCH = 64  # packets per wake-up: other sockets and lookups get their turn in between
PACKET_BYTES = codes.EDNS_UDP_BYTES  # what our replies say we take; a longer query is cut, and so is a FORMERR


def listen_udp(loop: asyncio.AbstractEventLoop, sock: socket.socket, engine: Engine, via: Via) -> "UdpListener":
    """The fastest listener that this system and this socket allow."""
    from resolver.listen import batched, mmsg  # noqa: PLC0415 - it builds on this module

    if mmsg.available and datagrams(sock) is sock:
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
        self._given_up = False
        self._settled: asyncio.Event | None = None

    @property
    def pending(self) -> int:
        """Queries whose replies are being looked up."""
        return self._owed

    async def start(self) -> None:
        """Begin to read."""
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
                self.read_batch()
        self._close_socket()

    def read_batch(self) -> int:
        """Read and handle up to BATCH packets; how many there were."""
        now = monotonic()
        recvfrom, ready_reply, engine = self._datagrams.recvfrom, self._ready.get, self._engine
        restricted = engine.restricted
        read = hits = 0
        while read < BATCH:
            try:
                packet, peer = recvfrom(PACKET_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                read += 1
                self._count(error)
                continue
            read += 1
            ready = ready_reply(packet[2:])
            if (
                ready is not None
                and (now < ready.until or engine.renew(ready, now))
                and not (restricted and not engine.allows(peer[0]))
            ):
                ready.tally[0] += 1
                hits += 1
                self._send(packet[:2] + ready.next(), peer)
            else:
                self._handle(packet, peer, now)
        if hits:
            engine.spent(hits, monotonic() - now)
        return read

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
        self.sock.close()

    def _count(self, error: OSError) -> None:
        reason = errno.errorcode.get(error.errno or 0, "other")
        self.lost[reason] = self.lost.get(reason, 0) + 1
