"""The clients' TCP connections on one listening socket: their beginning, their time, and the end of all (RFC 7766).

How many may be open is counted for all listeners together (`clients`). One timer for all connections of this one looks
once per second for those that take too long.

Connections are accepted here and not by the loop's create_server: of an error that accept() reports for one connection
(accept(2) lists them) uvloop closes the listening socket for good, and without file descriptors asyncio logs a
traceback up to a thousand times per second.
"""

import asyncio
import errno
import socket
from time import monotonic
from typing import TYPE_CHECKING

from resolver.engine import Engine
from resolver.listen.clients import Refusal, TcpClients
from resolver.listen.connection import Connection, Ending
from resolver.listen.guard import Guard
from resolver.listen.sockets import TCP_BACKLOG
from resolver.outcome import Via

if TYPE_CHECKING:
    from resolver.survey.survey import Survey

READ_BYTES = 4096  # what a connection can have waiting: about a hundred queries
ACCEPT_BATCH = 8  # connections per wake-up: each takes a tenth of a millisecond until it is served
_SWEEP_SECONDS = 1.0
_ACCEPT_PAUSE_SECONDS = 1.0
_EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_LAST_TURNS = 3  # of the loop: its reader's registration, a connection's first read, its end


def listen_tcp(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, engine: Engine, via: Via, clients: TcpClients,
    survey: "Survey | None" = None,
) -> "TcpListener":  # fmt: skip
    """A listener; `survey` is told of what it sends."""
    if survey is not None:
        from resolver.listen.sampledtcp import SampledTcpListener  # noqa: PLC0415 - for those who want to know

        return SampledTcpListener(loop, sock, engine, via, clients, survey)
    return TcpListener(loop, sock, engine, via, clients)


class TcpListener:
    """One listening TCP socket, which it owns, and the connections that came in through it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        engine: Engine,
        via: Via,
        clients: TcpClients,
    ) -> None:
        self.loop = loop
        self.engine = engine
        self.guard = Guard(engine, via)
        self.ready = via.ready.get
        self.clients = clients
        """What is counted of the connections of all listeners."""
        self.limits = clients.limits
        self.read_buffer = memoryview(bytearray(READ_BYTES))
        """Where the loop puts what it reads, for one connection at a time: it is taken over before the next read."""
        self.accepted_total = 0
        """Connections that were let in."""
        self.refused = dict.fromkeys(Refusal, 0)
        self.accept_errors: dict[str, int] = {}
        """Connections that could not be accepted, by the kernel's reason."""
        self.ended = dict.fromkeys(Ending, 0)
        """Connections that were ended by us."""
        self.sock = sock
        self._adopting: set[asyncio.Task[None]] = set()
        self._connections: dict[Connection, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._closing = False
        self._left = asyncio.Event()

    def connection(self) -> Connection:
        """The protocol object of a new connection."""
        return Connection(self)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def start(self) -> None:
        """Begin to accept connections."""
        self.loop.add_reader(self.sock, self.accept_batch)

    async def close(self, seconds: float, *, queued: bool = True) -> None:
        """Accept no more, answer what has been sent by now, close; what is not done within `seconds` is given up.

        Without `queued`, who waits in the kernel's queue is left to another process. Idempotent.
        """
        if self._closing:
            return
        await self._accept_the_last(queued=queued)
        self._closing = True
        self.sock.close()
        for connection in list(self._connections):
            connection.finish(Ending.SHUTDOWN)
        try:
            async with asyncio.timeout(seconds):
                while self._connections or self._adopting:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            for connection in list(self._connections):
                connection.abort(Ending.SHUTDOWN)
            await _turns()
        if self._timer is not None:
            self._timer.cancel()

    def accept_batch(self) -> int:
        """Accept up to ACCEPT_BATCH connections that wait; how many there were."""
        for accepted in range(ACCEPT_BATCH):
            try:
                sock, address = self.sock.accept()
            except BlockingIOError:
                return accepted
            except OSError as error:
                reason = errno.errorcode.get(error.errno or 0, "other")
                self.accept_errors[reason] = self.accept_errors.get(reason, 0) + 1
                if error.errno in _EXHAUSTED:
                    self._pause_accepting()
                    return accepted
                continue  # it was that connection's error, and it is gone
            if self.clients.has_all(address[0]):  # before anything is made for it: whoever is refused tries again
                self.refused[Refusal.CLIENT_FULL] += 1
                sock.close()
                continue
            sock.setblocking(False)
            task = self.loop.create_task(self._adopt(sock), name="adopt a TCP connection")
            self._adopting.add(task)
            task.add_done_callback(self._adopted)
        return ACCEPT_BATCH

    def admit(self, connection: Connection) -> bool:
        """Whether a new connection may stay; it is kept then until `forget`."""
        refusal = Refusal.CLOSING if self._closing else self.clients.admit(connection)
        if refusal is not None:
            self.refused[refusal] += 1
            return False
        self.accepted_total += 1
        self._connections[connection] = None
        if self._timer is None:
            self._timer = self.loop.call_later(_SWEEP_SECONDS, self._tick)
        return True

    def forget(self, connection: Connection) -> None:
        """A connection is closed, or as good as closed. Idempotent."""
        self.clients.forget(connection)
        self._connections.pop(connection, None)
        self._left.set()

    def sweep(self, now: float) -> None:
        """End the connections that have taken too long by `now` (monotonic seconds)."""
        for connection in list(self._connections):
            connection.sweep(now)

    async def _accept_the_last(self, *, queued: bool) -> None:
        """Let in who waits in the kernel's queue, and let the loop read what they have sent."""
        self.loop.remove_reader(self.sock)
        for _ in range(TCP_BACKLOG // ACCEPT_BATCH):
            if not queued or self.accept_batch() < ACCEPT_BATCH:
                break
            await asyncio.sleep(0)
        if self._pause is not None:
            self._pause.cancel()
        if self._adopting:
            await asyncio.wait(self._adopting)
        await _turns()

    async def _adopt(self, sock: socket.socket) -> None:
        """Hand an accepted socket to the loop; `admit` decides about it next."""
        try:
            await self.loop.connect_accepted_socket(self.connection, sock)
        except OSError:
            sock.close()
            self.refused[Refusal.GONE] += 1

    def _adopted(self, task: asyncio.Task[None]) -> None:
        self._adopting.discard(task)
        self._left.set()

    def _pause_accepting(self) -> None:
        """Wait for file descriptors or memory; clients wait in the kernel's queue meanwhile."""
        self.clients.make_room()
        self.loop.remove_reader(self.sock)
        self._pause = self.loop.call_later(_ACCEPT_PAUSE_SECONDS, self.loop.add_reader, self.sock, self.accept_batch)

    def _tick(self) -> None:
        self._timer = None
        self.sweep(monotonic())
        if self._connections:
            self._timer = self.loop.call_later(_SWEEP_SECONDS, self._tick)


async def _turns() -> None:
    """Let the loop do what is due now."""
    for _ in range(_LAST_TURNS):
        await asyncio.sleep(0)
