"""The resolver proper: zones, engine and listeners wired together, without the operations around them (see `main`).

`Resolver` is one resolver in this process: built from a Config, started, given new configurations while it runs, and
closed so that everything that was read is answered. What each part does is written in the part.
"""

import asyncio
import logging
import socket
from asyncio import AbstractEventLoop
from collections.abc import Coroutine
from typing import Any

from resolver.config import Config, Transport, Upstream, overlap
from resolver.engine import Engine
from resolver.listen.census import Census, Listener
from resolver.listen.clients import TcpClients
from resolver.listen.sockets import ListenError, open_tcp, open_udp
from resolver.listen.tcp import TcpListener
from resolver.listen.udp import listen_udp
from resolver.ops.logs import event
from resolver.ops.zones import Zones
from resolver.upstream.lookup import Lookups
from resolver.upstream.routes import Routes
from resolver.upstream.server import Server, Servers
from resolver.upstream.tcp import TcpChannel
from resolver.upstream.timers import Timers
from resolver.upstream.transport import Channel
from resolver.upstream.udp import UdpChannel

_log = logging.getLogger(__name__)

_CLOSE_GRACE_SECONDS = 0.5
"""What closing waits for beyond the longest `timeout` of a zone."""

Place = tuple[str, int]


class Resolver:
    """One resolver: `start`, then `apply` as often as the configuration changes, then `close`."""

    def __init__(self, config: Config) -> None:
        loop = asyncio.get_running_loop()
        self.config = config
        self._loop = loop
        self._timers = Timers(loop)
        lookups = Lookups(loop, self._timers, _log_health)
        self.zones = Zones(loop, Servers(lambda upstream, transport: _channel(loop, upstream, transport)), lookups)
        self.engine = Engine(lookups, self.zones.routes(config), config.cache, config.listen.allowed_clients)
        self.zones.on_routes = self._new_routes
        self.listeners: dict[Place, tuple[Listener, ...]] = {}
        self.census = Census()
        self._clients = TcpClients()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open the sockets and begin to answer; raises ListenError, and then nothing is left open."""
        opened = _open_all(_places(self.config))
        self.zones.start()
        for place, sockets in opened.items():
            await self._begin(place, self._listen(place, sockets))

    def apply(self, config: Config) -> None:
        """Make a new configuration the one in force, the cache kept; ListenError: nothing has changed.

        What it drops (addresses, servers) is let go once everything that was asked there is answered.
        """
        wanted = _places(config)
        added = [place for place in wanted if place not in self.listeners]
        _refuse_overlap(added, list(self.listeners))
        opened = _open_all(added)
        dropped = [self.listeners.pop(place) for place in list(self.listeners) if place not in wanted]
        self.config = config
        self._new_routes(self.zones.routes(config))
        for place, sockets in opened.items():
            self._own(self._begin(place, self._listen(place, sockets)))
        for listeners in dropped:
            self._own(self._unlisten(listeners))

    async def close(self) -> None:
        """Answer what was read, then stop."""
        await asyncio.gather(*(self._unlisten(listeners) for listeners in self.listeners.values()), *self._tasks)
        self.listeners.clear()
        self.zones.close()
        self._timers.close()

    def _new_routes(self, routes: Routes[Server]) -> None:
        self.engine.reconfigure(routes, self.config.cache, self.config.listen.allowed_clients)

    def _listen(self, place: Place, sockets: tuple[socket.socket, socket.socket]) -> tuple[Listener, ...]:
        family = 6 if sockets[0].family == socket.AF_INET6 else 4
        udp = listen_udp(self._loop, sockets[0], self.engine, self.engine.via(tcp=False, family=family))
        tcp = TcpListener(self._loop, sockets[1], self.engine, self.engine.via(tcp=True, family=family), self._clients)
        self.listeners[place] = listeners = (udp, tcp)
        for listener in listeners:
            self.census.add(listener)
        return listeners

    async def _begin(self, place: Place, listeners: tuple[Listener, ...]) -> None:
        port = listeners[0].sock.getsockname()[1]
        for listener in listeners:
            await listener.start()
        event(_log, logging.INFO, "listening", address=place[0], port=port)

    async def _unlisten(self, listeners: tuple[Listener, ...]) -> None:
        seconds = max(zone.timeout_seconds for zone in self.config.zones) + _CLOSE_GRACE_SECONDS
        await asyncio.gather(*(listener.close(seconds) for listener in listeners))
        for listener in listeners:
            self.census.remove(listener)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work of its own; it is kept until it is done, and `close` waits for it."""
        task = self._loop.create_task(work, name="begin or cease to listen")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _places(config: Config) -> list[Place]:
    return [(address, config.listen.port) for address in config.listen.addresses]


def _refuse_overlap(added: list[Place], own: list[Place]) -> None:
    """Raise ListenError where the kernel would say that the port is in use, because it is in use by us.

    The one address would go on getting what is sent to it until its last reply is out, and by then it looks nothing up.
    """
    for address, port in added:
        for other, other_port in own:
            if port == other_port and overlap(address, other):
                raise ListenError(f"cannot change between {other} and {address} on port {port} while running: restart")


def _open_all(places: list[Place]) -> dict[Place, tuple[socket.socket, socket.socket]]:
    """UDP and TCP sockets for all places, or ListenError and none."""
    opened: dict[Place, tuple[socket.socket, socket.socket]] = {}
    sockets: list[socket.socket] = []
    try:
        for address, port in places:
            sockets.append(open_udp(address, port))
            sockets.append(open_tcp(address, sockets[-1].getsockname()[1]))
            opened[address, port] = (sockets[-2], sockets[-1])
    except ListenError:
        for sock in sockets:
            sock.close()
        raise
    return opened


def _channel(loop: AbstractEventLoop, upstream: Upstream, transport: Transport) -> Channel:
    if transport is Transport.UDP:
        return UdpChannel(upstream, loop)
    if transport is Transport.TLS:
        from resolver.upstream.tls import tls_context  # noqa: PLC0415 - OpenSSL, for those who use it

        return TcpChannel(upstream, loop, tls_context())
    return TcpChannel(upstream, loop)


def _log_health(server: Server) -> None:
    health = server.health
    if health.down:
        event(_log, logging.WARNING, "upstream down", server=str(server), transport=server.transport.value)
    else:
        event(_log, logging.INFO, "upstream up", server=str(server), transport=server.transport.value)
