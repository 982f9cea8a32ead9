"""Zones of the configuration made into routes with servers, kept up to date with the resolv.conf files they name."""

import logging
import socket
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

from resolver.config import Config, ResolvConf, Upstream, Zone, parse_resolv_conf
from resolver.ops.logs import event
from resolver.ops.watch import FileWatch, read_text
from resolver.upstream.lookup import Lookups
from resolver.upstream.probe import Prober
from resolver.upstream.routes import Route, Routes
from resolver.upstream.server import Server, Servers

_log = logging.getLogger(__name__)
_PROBE_TICK_SECONDS = 0.1


class Zones:
    """The routes in force. Servers (their connections, their health) live on for as long as some zone names them."""

    def __init__(self, loop: AbstractEventLoop, servers: Servers, lookups: Lookups) -> None:
        self._loop = loop
        self.servers = servers
        self._prober = Prober(lookups)
        self._config = Config()
        self._nameservers: dict[str, tuple[str, ...]] = {}
        self._watches: dict[str, FileWatch] = {}
        self._timer: TimerHandle | None = None
        self.on_routes: Callable[[Routes[Server]], None] = lambda _: None
        """Called with new routes when a resolv.conf has changed."""

    def start(self) -> None:
        """Begin to probe the servers that are down."""
        self._timer = self._loop.call_later(_PROBE_TICK_SECONDS, self._tick)

    def close(self) -> None:
        """Stop watching and probing, and close the connections to all servers."""
        if self._timer is not None:
            self._timer.cancel()
        for watch in self._watches.values():
            watch.close()
        self.servers.keep_only(())

    def routes(self, config: Config) -> Routes[Server]:
        """The routes of a configuration, which becomes the one in force."""
        self._config = config
        paths = {
            upstream.path for zone in config.zones for upstream in zone.upstreams if isinstance(upstream, ResolvConf)
        }
        for path in set(self._watches) - paths:
            self._watches.pop(path).close()
            self._nameservers.pop(path, None)
        for path in paths - set(self._watches):
            self._watch(path)
        routes = Routes([Route(zone, self._servers_of(zone)) for zone in config.zones])
        self.servers.keep_only(server for route in routes.all for server in route.servers)
        return routes

    def _servers_of(self, zone: Zone) -> list[Server]:
        upstreams: dict[Upstream, None] = {}
        for upstream in zone.upstreams:
            if isinstance(upstream, Upstream):
                upstreams[upstream] = None
            else:
                for address in self._nameservers.get(upstream.path, ()):
                    upstreams[Upstream(address, zone.transport.default_port)] = None
        return [self.servers.get(upstream, zone.transport) for upstream in upstreams if not self._is_self(upstream)]

    def _is_self(self, upstream: Upstream) -> bool:
        """Whether asking there would be asking ourselves: then every miss would go round in circles."""
        listen = self._config.listen
        if upstream.port != listen.port:
            return False
        address = ip_address(upstream.address)
        if str(address) in listen.addresses:
            return True
        if address.is_unspecified and any(ip_address(own).is_loopback for own in listen.addresses):
            return True  # the kernel sends what is for 0.0.0.0 or :: to the loopback address
        wildcards = (ip_address(own) for own in listen.addresses)
        return any(own.is_unspecified and own.version == address.version for own in wildcards) and _is_local(address)

    def _watch(self, path: str) -> None:
        try:
            text: str | None = read_text(path)
        except OSError as error:
            text = None
            event(_log, logging.WARNING, "resolv.conf unreadable", file=path, reason=error.strerror or str(error))
        self._nameservers[path] = parse_resolv_conf(text or "")
        if text is not None and not self._nameservers[path]:
            event(_log, logging.WARNING, "resolv.conf names no servers", file=path)
        watch = FileWatch(
            path,
            lambda changed: self._resolv_conf_changed(path, changed),
            lambda reason: event(_log, logging.WARNING, "resolv.conf unreadable", file=path, reason=reason),
            seen=text,
        )
        self._watches[path] = watch
        watch.start()

    def _resolv_conf_changed(self, path: str, text: str) -> None:
        nameservers = parse_resolv_conf(text)
        if nameservers == self._nameservers.get(path):
            return
        if not nameservers:
            # A file that is empty for a moment (or for good) is no reason to forget the servers that work.
            event(_log, logging.WARNING, "resolv.conf names no servers, the old ones stay in use", file=path)
            return
        self._nameservers[path] = nameservers
        event(_log, logging.INFO, "resolv.conf changed", file=path, servers=", ".join(nameservers))
        self.on_routes(self.routes(self._config))

    def _tick(self) -> None:
        self._timer = self._loop.call_later(_PROBE_TICK_SECONDS, self._tick)
        for server in self.servers:
            if server.health.down:
                self._prober.probe(server)


def _is_local(address: IPv4Address | IPv6Address) -> bool:
    """Whether this machine has the address: then a socket can be bound to it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
