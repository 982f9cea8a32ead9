"""The clients' TCP connections on one listening socket: who is let in, who has to leave, and the end of all (RFC 7766).

When all places are taken, the connection that has been idle longest makes room; only where none is idle is a new one
refused. One timer for all connections looks once per second for those that take too long.
"""

import asyncio
import socket
from collections import Counter
from enum import Enum
from time import monotonic

from resolver.engine import Engine
from resolver.listen.connection import Connection, Ending, TcpLimits
from resolver.listen.guard import Guard
from resolver.outcome import Via

READ_BYTES = 16 * 1024
_SWEEP_SECONDS = 1.0


class Refusal(Enum):
    """Why a connection was closed before it could ask."""

    FULL = "too many connections"
    CLIENT_FULL = "too many connections of one client"
    CLOSING = "shutting down"
    GONE = "closed by the client at once"


class TcpListener:
    """One listening TCP socket, which it owns, and the connections that came in through it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        engine: Engine,
        via: Via,
        limits: TcpLimits | None = None,
    ) -> None:
        self.loop = loop
        self.engine = engine
        self.guard = Guard(engine, via)
        self.ready = via.ready.get
        self.limits = limits or TcpLimits()
        self.read_buffer = memoryview(bytearray(READ_BYTES))
        """Where the loop puts what it reads, for one connection at a time: it is taken over before the next read."""
        self.accepted_total = 0
        """Connections that were let in."""
        self.refused = dict.fromkeys(Refusal, 0)
        self.ended = dict.fromkeys(Ending, 0)
        """Connections that were ended by us."""
        self.stuck = 0
        """Connections whose clients do not read their replies."""
        self.sock = sock
        self._server: asyncio.Server | None = None
        self._connections: dict[Connection, None] = {}
        self._per_client: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._empty = asyncio.Event()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    @property
    def unsent_share(self) -> int:
        """The bytes that one connection may have unsent."""
        limits = self.limits
        return min(limits.unsent_bytes, limits.unsent_total_bytes // max(self.stuck, 1))

    async def start(self) -> None:
        """Begin to accept connections."""
        self._server = await self.loop.create_server(lambda: Connection(self), sock=self.sock, backlog=1024)

    async def close(self, seconds: float) -> None:
        """Accept no more, answer what was read, close; what is not done within `seconds` is given up."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        # One turn of the loop more, for the queries that are here already.
        await asyncio.sleep(0)
        for connection in list(self._connections):
            connection.finish(Ending.SHUTDOWN)
        try:
            async with asyncio.timeout(seconds):
                while self._connections:
                    self._empty.clear()
                    await self._empty.wait()
        except TimeoutError:
            for connection in list(self._connections):
                connection.abort(Ending.SHUTDOWN)
        if self._timer is not None:
            self._timer.cancel()

    def admit(self, connection: Connection) -> bool:
        """Whether a new connection may stay; it is kept then until `forget`."""
        refusal = self._refusal(connection)
        if refusal is not None:
            self.refused[refusal] += 1
            return False
        self.accepted_total += 1
        self._connections[connection] = None
        self._per_client[connection.client] += 1
        if self._timer is None:
            self._timer = self.loop.call_later(_SWEEP_SECONDS, self._tick)
        return True

    def forget(self, connection: Connection) -> None:
        """A connection is closed, or as good as closed. Idempotent."""
        if connection not in self._connections:
            return
        del self._connections[connection]
        self._per_client[connection.client] -= 1
        if not self._per_client[connection.client]:
            del self._per_client[connection.client]
        if not self._connections:
            self._empty.set()

    def sweep(self, now: float) -> None:
        """End the connections that have taken too long by `now` (monotonic seconds)."""
        for connection in list(self._connections):
            connection.sweep(now)

    def _refusal(self, connection: Connection) -> Refusal | None:
        if self._closing:
            return Refusal.CLOSING
        if not connection.client:
            return Refusal.GONE
        if self._per_client[connection.client] >= self.limits.connections_per_client:
            return Refusal.CLIENT_FULL
        if len(self._connections) < self.limits.connections or self._make_room():
            return None
        return Refusal.FULL

    def _make_room(self) -> bool:
        idle = [connection for connection in self._connections if connection.idle]
        if not idle:
            return False
        oldest = min(idle, key=lambda connection: connection.active_at)
        oldest.abort(Ending.ROOM)
        self.forget(oldest)
        return True

    def _tick(self) -> None:
        self._timer = None
        self.sweep(monotonic())
        if self._connections:
            self._timer = self.loop.call_later(_SWEEP_SECONDS, self._tick)
