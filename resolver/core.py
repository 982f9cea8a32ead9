"""The resolver proper: zones, engine and listeners wired together, without the operations around them (see `main`).

`Resolver` is one resolver in this process: built from a Config, started, given new configurations while it runs, and
closed so that everything that was read is answered. What each part does is written in the part.
"""

import asyncio
import logging
import resource
import socket
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from resolver.config import Config, Transport, Upstream
from resolver.engine import Engine
from resolver.events import event
from resolver.listen.census import Census, Listener
from resolver.listen.clients import TcpClients
from resolver.listen.connection import TcpLimits
from resolver.listen.holdings import Place
from resolver.listen.sockets import open_udp
from resolver.listen.tcp import listen_tcp
from resolver.listen.udp import listen_udp
from resolver.ops.changes import Changes
from resolver.ops.zones import Zones
from resolver.upstream.lookup import Lookups
from resolver.upstream.routes import Routes
from resolver.upstream.server import Server, Servers
from resolver.upstream.tcp import TcpChannel
from resolver.upstream.timers import Timers
from resolver.upstream.transport import Channel
from resolver.upstream.udp import UdpChannel

if TYPE_CHECKING:
    from resolver.survey.survey import Survey

_log = logging.getLogger(__name__)

_CLOSE_GRACE_SECONDS = 0.5
"""What closing waits for beyond the longest `timeout` of a zone."""

Sockets = Mapping[Place, Sequence[socket.socket]]
"""Bound sockets of this resolver's own, UDP and TCP, by place."""


class Resolver:
    """One resolver: `start`, then `apply` as often as the configuration changes, then `close`."""

    def __init__(self, config: Config) -> None:
        loop = asyncio.get_running_loop()
        self.config = config
        self._loop = loop
        self._timers = Timers(loop)
        lookups = Lookups(loop, self._timers, _log_health)
        self.zones = Zones(loop, Servers(lambda *how: _channel(loop, *how)), lookups)
        self.engine = Engine(lookups, self.zones.routes(config), config.cache, config.listen.allowed_clients)
        self.changes = Changes(loop, self._timers, self.engine)
        self.zones.on_routes = self._new_routes
        self.survey = _survey() if config.admin.top else None
        """Who asks what; None where nobody wants to know."""
        self.listeners: dict[Place, tuple[Listener, ...]] = {}
        self.census = Census()
        self._clients = TcpClients(TcpLimits.within(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, sockets: Sockets) -> None:
        """Begin to answer on these sockets, which it owns from now on."""
        self.zones.start()
        for place, each in sockets.items():
            await self._begin(place, self._listen(place, each))

    @asynccontextmanager
    async def trying(self) -> AsyncIterator[Place]:
        """Answer for a moment at a place on loopback that nobody knows, to see whether it works; raises ListenError."""
        sock = open_udp("127.0.0.1", 0)
        listener = listen_udp(self._loop, sock, self.engine, self.engine.via(tcp=False, family=4))
        await listener.start()
        try:
            yield sock.getsockname()
        finally:
            await listener.close(_CLOSE_GRACE_SECONDS)

    def apply(self, config: Config, sockets: Sockets) -> None:
        """Make a new configuration the one in force, the cache kept. `sockets` are those of places that are new in it.

        What it drops (addresses, servers) is let go once everything that was asked there is answered.
        """
        wanted = places(config)
        dropped = [self.listeners.pop(place) for place in list(self.listeners) if place not in wanted]
        self.config = config
        self._new_routes(self.zones.routes(config))
        for place, each in sockets.items():
            self._own(self._begin(place, self._listen(place, each)))
        for listeners in dropped:
            self._own(self._unlisten(listeners))

    async def close(self, *, queued: bool = True) -> None:
        """Answer what was read, then stop. `queued`: read what waits in the kernel first; without, others do."""
        await asyncio.gather(
            *(self._unlisten(listeners, queued=queued) for listeners in self.listeners.values()), *self._tasks
        )
        self.listeners.clear()
        self.zones.close()
        self._timers.close()

    def _new_routes(self, routes: Routes[Server]) -> None:
        self.engine.reconfigure(routes, self.config.cache, self.config.listen.allowed_clients)

    def _listen(self, place: Place, sockets: Sequence[socket.socket]) -> tuple[Listener, ...]:
        self.listeners[place] = listeners = tuple(self._listener(sock) for sock in sockets)
        for listener in listeners:
            self.census.add(listener)
        return listeners

    def _listener(self, sock: socket.socket) -> Listener:
        tcp = sock.type == socket.SOCK_STREAM
        via = self.engine.via(tcp=tcp, family=6 if sock.family == socket.AF_INET6 else 4)
        if tcp:
            return listen_tcp(self._loop, sock, self.engine, via, self._clients, self.survey)
        return listen_udp(self._loop, sock, self.engine, via, self.survey)

    async def _begin(self, place: Place, listeners: tuple[Listener, ...]) -> None:
        port = listeners[0].sock.getsockname()[1]
        for listener in listeners:
            await listener.start()
        event(_log, logging.INFO, "listening", address=place[0], port=port)

    async def _unlisten(self, listeners: tuple[Listener, ...], *, queued: bool = True) -> None:
        seconds = closing_seconds(self.config)
        await asyncio.gather(*(listener.close(seconds, queued=queued) for listener in listeners))
        for listener in listeners:
            self.census.remove(listener)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work of its own; it is kept until it is done, and `close` waits for it."""
        task = self._loop.create_task(work, name="begin or cease to listen")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _survey() -> "Survey":
    from resolver.survey.survey import Survey  # noqa: PLC0415 - for those who want to know

    return Survey(monotonic())


def places(config: Config) -> list[Place]:
    """Where this configuration listens."""
    return [(address, config.listen.port) for address in config.listen.addresses]


def closing_seconds(config: Config) -> float:
    """How long answering what was read may take at most."""
    return max(zone.timeout_seconds for zone in config.zones) + _CLOSE_GRACE_SECONDS


def _channel(
    loop: AbstractEventLoop,
    upstream: Upstream,
    transport: Transport,
    alone: bool,  # noqa: FBT001 - an OpenChannel
) -> Channel:
    if transport is Transport.UDP:
        return UdpChannel(upstream, loop)
    if transport is Transport.TLS:
        from resolver.upstream.tls import tls_context  # noqa: PLC0415 - OpenSSL, for those who use it

        return TcpChannel(upstream, loop, tls_context(), alone=alone)
    return TcpChannel(upstream, loop, alone=alone)


def _log_health(server: Server) -> None:
    health = server.health
    if health.down:
        event(_log, logging.WARNING, "upstream down", server=str(server), transport=server.transport.value)
    else:
        event(_log, logging.INFO, "upstream up", server=str(server), transport=server.transport.value)
