"""One client's TCP connection: queries in as they come, replies out as they are ready (RFC 7766 sections 6.2 and 7).

Every queue has a bound and pushes back on the one before it: with too many queries in flight, or with replies that the
client does not read, nothing more is read from it, so the kernel stops it from sending. Reads go through one buffer
that all connections share; what a connection itself can hold is in `TcpLimits`.
Replies of one turn of the loop leave in one write.
"""

import asyncio
from collections import deque
from enum import Enum
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, cast

from resolver.message.framing import LENGTH_BYTES, Frames, frame
from resolver.message.query import HEADER_BYTES
from resolver.outcome import TCP_IDLE_SECONDS, Pending, Reply

if TYPE_CHECKING:
    from resolver.listen.tcp import TcpListener


class TcpLimits(NamedTuple):
    """What clients may take from us over TCP."""

    connections: int = 1000
    connections_per_client: int = 100
    """A pod needs one or a few: ten of them have to misbehave together before they take the places of others."""
    in_flight: int = 128
    """Queries per connection that are being looked up."""
    turn_queries: int = 16
    """Queries that are answered at a stretch, before other clients have their turn."""
    idle_seconds: float = TCP_IDLE_SECONDS
    message_seconds: float = 10.0
    """From a message's first byte to its last."""
    drain_seconds: float = 10.0
    """How long a client may leave replies unread."""
    query_bytes: int = 4096
    """A longer query is cut, and so answered with FORMERR, as over UDP."""
    gather_bytes: int = 16 * 1024
    """Replies are gathered for one write up to this size. A connection with more than this unsent (beyond what the
    kernel holds) is stuck: it is not read from."""
    unsent_bytes: int = 1024 * 1024
    """A connection with more than this unsent is given up."""
    unsent_total_bytes: int = 8 * 1024 * 1024
    """What all stuck connections may have unsent together; each gets an equal share."""

    @classmethod
    def within(cls, descriptors: int) -> "TcpLimits":
        """For a process that may have so many: half of them are for whatever else has to be open."""
        usual = cls()
        connections = max(1, min(usual.connections, descriptors // 2))
        return cls(connections, max(1, connections * usual.connections_per_client // usual.connections))


class Ending(Enum):
    """Why we ended a connection."""

    IDLE = "idle"
    ROOM = "idle, to make room"
    SLOW_MESSAGE = "message not complete in time"
    SLOW_READER = "replies not read"
    NO_MESSAGE = "not a DNS message"
    SHUTDOWN = "shutting down"


class Connection(asyncio.BufferedProtocol):
    """The protocol object of one connection; `listener` keeps it and calls `sweep`."""

    __slots__ = (
        "_backlog", "_finishing_since", "_frames", "_in_flight", "_listener", "_out", "_out_bytes", "_partial_since",
        "_reading", "_stuck_since", "_transport", "active_at", "client",
    )  # fmt: skip

    def __init__(self, listener: "TcpListener") -> None:
        self._listener = listener
        self._frames = Frames(listener.limits.query_bytes)
        self._backlog: deque[bytes] = deque()
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._in_flight = 0
        self._reading = True
        self._partial_since: float | None = None
        self._stuck_since: float | None = None
        self._finishing_since: float | None = None
        self._transport: asyncio.Transport
        self.active_at = monotonic()
        """When the last complete query came or the last reply was handed over (monotonic seconds)."""
        self.client = ""
        """The client's IP address as text."""

    @property
    def idle(self) -> bool:
        """Whether nothing is owed to the client, and it has not begun to send another query."""
        return not (self._in_flight or self._backlog or self._out_bytes or self._frames.partial)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.client = peer[0] if peer else ""
        if self._listener.admit(self):
            self._transport.set_write_buffer_limits(self._listener.limits.gather_bytes)
        else:
            self._reading = False
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finishing_since = self._finishing_since or monotonic()
        self._unstick()
        self._backlog.clear()
        self._drop_output()
        self._listener.forget(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._listener.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take in `nbytes` that the loop has put into the shared buffer."""
        if self._finishing_since is not None:
            return
        now = monotonic()
        messages = self._frames.feed(self._listener.read_buffer[:nbytes])
        if not self._frames.partial:
            self._partial_since = None
        elif messages or self._partial_since is None:
            self._partial_since = now
        for message in messages:
            if len(message) < HEADER_BYTES:
                self._work(now)
                self.finish(Ending.NO_MESSAGE)
                return
            self._backlog.append(message)
        if messages:
            self.active_at = now
            self._work(now)

    def eof_received(self) -> bool:
        """The client sends no more; what it asked is still answered."""
        self.finish(None)
        return True

    def pause_writing(self) -> None:
        if self._stuck_since is None:
            self._stuck_since = monotonic()
            self._listener.clients.stuck += 1
        self._steer()

    def resume_writing(self) -> None:
        self._unstick()
        self._work(monotonic())

    def _settle(self, reply: bytes) -> None:
        """Send the reply to a query that had to be looked up."""
        self._in_flight -= 1
        self._put(reply)  # what else there is to do follows at the end of this turn

    def finish(self, ending: Ending | None) -> None:
        """Read no more; close when everything that was read is answered. None: the client ended it."""
        if self._finishing_since is None:
            self._finishing_since = monotonic()
            self._count(ending)
            self._steer()

    def abort(self, ending: Ending) -> None:
        """Close now; replies that are not sent yet are lost."""
        if self._finishing_since is None:
            self._finishing_since = monotonic()
            self._count(ending)
        self._backlog.clear()
        self._drop_output()
        self._transport.abort()

    def evict(self) -> None:
        """Make room for another connection."""
        self.abort(Ending.ROOM)
        self._listener.forget(self)

    def sweep(self, now: float) -> None:
        """End what has taken too long by `now`."""
        limits = self._listener.limits
        if self._stuck_since is not None and now - self._stuck_since >= limits.drain_seconds:
            self.abort(Ending.SLOW_READER)
        elif self._finishing_since is not None:
            # Nothing is owed any more, but the kernel could not take the last replies.
            if (
                self._transport.is_closing()
                and now - max(self._finishing_since, self.active_at) >= limits.drain_seconds
            ):
                self.abort(Ending.SLOW_READER)
        elif self._partial_since is not None:
            if self._reading and now - self._partial_since >= limits.message_seconds:
                self.abort(Ending.SLOW_MESSAGE)
        elif self.idle and now - self.active_at >= limits.idle_seconds:
            self.finish(Ending.IDLE)

    def _work(self, now: float) -> None:
        """Answer what was read, as far as the limits let us."""
        limits, backlog, listener = self._listener.limits, self._backlog, self._listener
        restricted = listener.engine.restricted
        hits = handled = 0
        while (
            backlog
            and handled < limits.turn_queries
            and self._in_flight < limits.in_flight
            and self._stuck_since is None
        ):
            message = backlog.popleft()
            handled += 1
            ready = listener.ready(message[2:])
            if (
                ready is not None
                and (now < ready.until or listener.engine.renew(ready, now))
                and not (restricted and not listener.engine.allows(self.client))
            ):
                ready.tally[0] += 1
                hits += 1
                self._put(message[:2] + ready.next())
            else:
                self._handle(message, now)
        if hits:
            listener.engine.spent(hits, monotonic() - now)
        if handled == limits.turn_queries and backlog and not self._out:
            listener.loop.call_soon(self._end_turn)
        self._steer()

    def _handle(self, message: bytes, now: float) -> None:
        guard = self._listener.guard
        outcome = guard.outcome(message, self.client, now)
        if isinstance(outcome, Reply):
            self._put(outcome.packet)
        elif isinstance(outcome, Pending):
            self._in_flight += 1
            outcome.respond = self._settle
            guard.ask(outcome, now)

    def _put(self, reply: bytes) -> None:
        """Have a reply sent with the others of this turn of the loop."""
        if self._transport.is_closing():
            return
        if not self._out:
            self._listener.loop.call_soon(self._end_turn)
        self._out.append(frame(reply))
        self._out_bytes += len(reply) + LENGTH_BYTES
        if self._out_bytes >= self._listener.limits.gather_bytes:
            self._flush()

    def _end_turn(self) -> None:
        self._flush()
        if self._backlog:
            self._work(monotonic())
        else:
            self._steer()

    def _flush(self) -> None:
        if self._out and not self._transport.is_closing():
            data = b"".join(self._out)
            self._drop_output()
            self.active_at = monotonic()
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > self._listener.clients.unsent_share:
                self.abort(Ending.SLOW_READER)

    def _unstick(self) -> None:
        if self._stuck_since is not None:
            self._stuck_since = None
            self._listener.clients.stuck -= 1

    def _drop_output(self) -> None:
        self._out.clear()
        self._out_bytes = 0

    def _steer(self) -> None:
        """Read on, stop reading, or close, as the state of the queues says."""
        if self._transport.is_closing():
            return
        finishing = self._finishing_since is not None
        if finishing and not (self._in_flight or self._backlog or self._out_bytes):
            self._transport.close()  # sends what it has taken over first
            return
        full = bool(self._backlog) or self._in_flight >= self._listener.limits.in_flight
        reading = not (finishing or full or self._stuck_since is not None)
        if reading and not self._reading:
            self._transport.resume_reading()
            if self._partial_since is not None:
                self._partial_since = monotonic()  # it was us who kept the rest of the message waiting
        elif self._reading and not reading:
            self._transport.pause_reading()
        self._reading = reading

    def _count(self, ending: Ending | None) -> None:
        if ending is not None:
            self._listener.ended[ending] += 1
