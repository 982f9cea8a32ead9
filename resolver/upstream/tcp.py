"""The channel to one server over TCP or TLS: a few long-lived connections, each carrying many questions at once (or,
`alone`, more of them with one question each).

A question goes to the open connection with the fewest questions under way. Connections are replaced when they are old
(so that load follows a cluster DNS that scales), when they are silent (dropped without a word), or when they close;
they are given up when idle. After a connect that failed, the next waits for a moment.
"""

from asyncio import AbstractEventLoop, Protocol, Task, TimerHandle
from typing import TYPE_CHECKING, cast

from resolver.config.values import Upstream
from resolver.upstream.chance import uniform
from resolver.upstream.connection import MAX_IDS, Connection
from resolver.upstream.ids import QueryIds
from resolver.upstream.sockets import connect_stream
from resolver.upstream.tls import connect_tls, server_name
from resolver.upstream.transport import Attempt, ChannelState, Problem, Ticket
from resolver.upstream.trouble import Unsent, problem_of

if TYPE_CHECKING:
    from ssl import SSLContext

# "Clients SHOULD minimise the number of connections" (RFC 7766 section 6.2.2): one does nearly always; the others are
# for bursts, for replacing an old connection, and for a second try beside a silent one.
MAX_CONNECTIONS = 4
# The same of a channel each of whose questions has one of its own, as long as there are as many.
MAX_ALONE = 16
# More questions than this on every connection: open another. CoreDNS works on the questions of one connection one
# after the other, so a second connection also means a second core.
SPREAD_AT = 64
MAX_IN_FLIGHT = 512  # per connection; at 1 ms per answer that is half a million questions a second
# A connection stays with the CoreDNS pod that took it. After this time another one takes over, so that new pods get
# their share within about a minute; spread, so that the nodes of a cluster do not all reconnect together.
MAX_AGE_SECONDS = 60.0
AGE_SPREAD = 0.25
# CoreDNS closes a connection after 10 s without a question. Closing first spares questions that would meet its FIN.
IDLE_SECONDS = 8.0
CONNECT_SECONDS = 2.0
BACKOFF_SECONDS = 0.05
MAX_BACKOFF_SECONDS = 1.0
TICK_SECONDS = 1.0


class TcpChannel:
    """The connections to one server. Implements `transport.Channel`. With `tls` it speaks DNS over TLS (RFC 7858)."""

    def __init__(
        self, upstream: Upstream, loop: AbstractEventLoop, tls: "SSLContext | None" = None, *, alone: bool = False
    ) -> None:
        self._upstream = upstream
        self._loop = loop
        self._tls = tls
        self._alone = alone
        self._most = MAX_ALONE if alone else MAX_CONNECTIONS
        self._ids = QueryIds()
        self._connections: list[Connection] = []
        self._connects: dict[Connection, Task[None]] = {}
        self._timer: TimerHandle | None = None
        self._failures = 0
        self._backoff_until = 0.0
        self._closed = False
        self._opened_total = 0
        self._ignored_before = 0

    # -------------------------------------------------------------------------------------------- transport.Channel

    def send(self, query: bytes, question: bytes, attempt: Attempt, avoid: Ticket | None = None) -> Ticket:
        """See `transport.Channel.send`."""
        avoided = None if avoid is None else getattr(avoid, "connection", None)
        best = None
        fewest = MAX_IN_FLIGHT
        for connection in self._connections:
            if connection.open and connection.waiting < fewest and connection is not avoided:
                best, fewest = connection, connection.waiting
        if self._alone and (best is None or fewest):
            best = self._unshared() or best
        if best is None or len(best.pending) >= MAX_IDS:
            chosen = self._other(avoided)
            if isinstance(chosen, Problem):
                return Unsent(self._loop, attempt, chosen)
            best = chosen
        elif fewest >= SPREAD_AT and not self._connects and self._may_connect() is None:
            self._connect()  # for the questions to come: this one does not wait for it
        return best.send(query, question, attempt)

    @property
    def waiting(self) -> int:
        """See `transport.Channel.waiting`."""
        total = 0
        for connection in self._connections:
            total += connection.waiting
        return total

    def close(self) -> None:
        """See `transport.Channel.close`."""
        self._closed = True
        for connection in list(self._connections):
            connection.drain()

    def snapshot(self) -> ChannelState:
        """See `transport.Channel.snapshot`."""
        connections = self._connections
        return ChannelState(
            connections=len(connections) - len(self._connects),
            in_flight=self.waiting,
            opened_total=self._opened_total,
            ignored_total=self._ignored_before + sum(connection.ignored for connection in connections),
        )

    # -------------------------------------------------------------------------------------------- choosing

    def _other(self, avoided: Connection | None) -> Connection | Problem:
        """Where a question goes when no open connection will do."""
        for connection in self._connections:
            if connection.connecting and connection is not avoided and connection.waiting < MAX_IN_FLIGHT:
                return connection
        problem = self._may_connect()
        if problem is None:
            return self._connect()
        # Better twice on one connection than not at all.
        if avoided is not None and avoided.open and avoided.waiting < MAX_IN_FLIGHT and len(avoided.pending) < MAX_IDS:
            return avoided
        return problem

    def _unshared(self) -> Connection | None:
        """A new connection on which nobody else waits; None: there are as many as may be."""
        for connection in self._connections:
            if connection.connecting and not connection.waiting:
                return connection
        return self._connect() if self._may_connect() is None else None

    def _may_connect(self) -> Problem | None:
        if self._closed:
            return Problem.RESET
        if self._loop.time() < self._backoff_until:
            return Problem.BACKING_OFF
        if len(self._connections) < self._most or any(c.suspected for c in self._connections):
            return None
        return Problem.FULL

    # -------------------------------------------------------------------------------------------- connecting

    def _connect(self) -> Connection:
        if len(self._connections) >= self._most:
            suspects = [connection for connection in self._connections if connection.suspected]
            suspects[0].abort(Problem.SILENT)  # the one that has been silent for the longest
        now = self._loop.time()
        connection = Connection(self, self._loop, self._ids, now)
        connection.retire_at = now + uniform(1 - AGE_SPREAD, 1 + AGE_SPREAD) * MAX_AGE_SECONDS
        self._connections.append(connection)
        task = self._loop.create_task(self._establish(connection), name=f"connect to {self._upstream}")
        self._connects[connection] = task
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        return connection

    async def _establish(self, connection: Connection) -> None:
        """Connect; the only coroutine here, one per connection. Housekeeping cancels it when it takes too long."""
        problem = None
        try:
            stream = await connect_stream(self._upstream, self._loop)
        except OSError as error:
            problem = problem_of(error)
        else:
            protocol = cast("Protocol", connection)
            try:
                if self._tls is None:
                    await self._loop.create_connection(lambda: protocol, sock=stream)
                else:
                    await connect_tls(protocol, stream, self._tls, server_name(self._upstream))
            except (OSError, ValueError):  # ValueError: a certificate, or a name, that cannot be read
                problem = Problem.RESET if self._tls is None else Problem.TLS
        if problem is not None:
            self._connects.pop(connection, None)
            self._connect_failed(connection, problem)

    def _connect_failed(self, connection: Connection, problem: Problem) -> None:
        self._failures += 1
        longest = min(BACKOFF_SECONDS * 2 ** (self._failures - 1), MAX_BACKOFF_SECONDS)
        self._backoff_until = self._loop.time() + longest * uniform(0.5, 1)
        connection.fail(problem)

    def connection_opened(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        self._connects.pop(connection, None)
        self._opened_total += 1
        self._failures = 0
        self._backoff_until = 0.0
        now = self._loop.time()
        for other in list(self._connections):
            if connection.open and other.open and now >= other.retire_at:
                other.drain()

    def connection_closed(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        task = self._connects.pop(connection, None)
        if task is not None:
            task.cancel()
        if connection in self._connections:
            self._connections.remove(connection)
            self._ignored_before += connection.ignored

    # -------------------------------------------------------------------------------------------- housekeeping

    def _tick(self) -> None:
        now = self._loop.time()
        self._timer = None
        for connection in list(self._connections):
            connection.tick(now)
            if connection.open:
                self._tend(connection, now)
            elif connection in self._connects and now - connection.started_at >= CONNECT_SECONDS:
                self._connect_failed(connection, Problem.SILENT)
        if self._connections:
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def _tend(self, connection: Connection, now: float) -> None:
        """Close an open connection that is idle; have an old one replaced before it takes no more questions."""
        if not connection.waiting and now - connection.used_at >= IDLE_SECONDS:
            connection.drain()
        elif now >= connection.retire_at:
            if any(other.open and now < other.retire_at for other in self._connections):
                connection.drain()
            elif not self._connects and self._may_connect() is None:
                self._connect()
