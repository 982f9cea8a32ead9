"""Zones of the configuration made into routes with servers, kept up to date with what they name: resolv.conf files,
which are watched here, and Services, of whose endpoints others tell (`learn`).
"""

import contextlib
import logging
import socket
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from resolver.config import (
    Config,
    ResolvConf,
    ServiceUpstream,
    Transport,
    Upstream,
    Zone,
    parse_resolv_conf,
    parse_searches,
)
from resolver.config.values import AnyUpstream
from resolver.events import event
from resolver.message import names
from resolver.ops.watch import FileWatch, read_text
from resolver.upstream.budget import Budget
from resolver.upstream.deferral import Deferred
from resolver.upstream.lookup import Lookups
from resolver.upstream.probe import Prober
from resolver.upstream.routes import Route, Routes
from resolver.upstream.server import Server, Servers

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

_log = logging.getLogger(__name__)
_PROBE_TICK_SECONDS = 0.1
_TCP: Final = 0
_UDP: Final = 1


class Known:
    """What is known of a Service: its own address, and its endpoints with the port for each protocol (0: none)."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        """`told`: as `kubernetes.endpoints` puts it."""
        self.address = str(told["address"])
        self.endpoints = tuple((str(address), (int(tcp), int(udp))) for address, tcp, udp in told["endpoints"])

    def upstreams(self, transport: Transport) -> list[Upstream]:
        """The endpoints as servers to ask over this transport."""
        which = _UDP if transport is Transport.UDP else _TCP
        return [Upstream(address, ports[which]) for address, ports in self.endpoints if ports[which]]


class Zones:
    """The routes in force. Servers (their connections, their health) live on for as long as some zone names them."""

    def __init__(self, loop: AbstractEventLoop, servers: Servers, lookups: Lookups) -> None:
        self._loop = loop
        self.servers = servers
        self._prober = Prober(lookups)
        self._config = Config()
        self._nameservers: dict[str, tuple[str, ...]] = {}
        self._searches: dict[str, tuple[bytes, ...]] = {}
        self._watches: dict[str, FileWatch] = {}
        self._budgets: dict[tuple[str, ...], Budget[Deferred]] = {}
        self._services: dict[str, Known] = {}
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
            self._searches.pop(path, None)
        for path in paths - set(self._watches):
            self._watch(path)
        searches = dict.fromkeys(search for path in self._searches for search in self._searches[path])
        self._budgets = {
            zone.names: self._budget_of(zone, config.listen.workers) for zone in config.zones if zone.queries_per_second
        }
        routes = Routes([self._route(zone) for zone in config.zones], tuple(searches))
        self.servers.keep_only(server for route in routes.all for server in route.servers)
        return routes

    def learn(self, told: Mapping[str, Any]) -> None:
        """Ask the endpoints of a Service as they are now; what they were is let go once its answers are in."""
        name, known = str(told["service"]), Known(told)
        before = self._services.get(name)
        self._services[name] = known
        if before is None or (before.address, before.endpoints) != (known.address, known.endpoints):
            servers = ", ".join(address for address, _ in known.endpoints)
            event(_log, logging.INFO, "endpoints changed", service=name, servers=servers)
            self.on_routes(self.routes(self._config))

    def _route(self, zone: Zone) -> Route[Server]:
        endpoints = self._endpoints_of(zone)
        upstreams = dict.fromkeys(endpoints)
        for upstream in zone.upstreams:
            upstreams.update(dict.fromkeys(self._upstreams_of(upstream, zone.transport)))
        servers = [self.servers.get(upstream, zone.transport) for upstream in upstreams if not self._is_self(upstream)]
        return Route(zone, servers, self._budgets.get(zone.names), len(endpoints))

    def _endpoints_of(self, zone: Zone) -> list[Upstream]:
        """Those of the Service that this zone names, if it names one."""
        service = zone.upstreams[0] if zone.upstreams else None
        known = self._services.get(str(service)) if isinstance(service, ServiceUpstream) else None
        if known is None:
            return []
        return [each for each in dict.fromkeys(known.upstreams(zone.transport)) if not self._is_self(each)]

    def _upstreams_of(self, upstream: AnyUpstream, transport: Transport) -> list[Upstream]:
        """What one item of the configuration stands for; a Service, for its own address."""
        if isinstance(upstream, Upstream):
            return [upstream]
        if isinstance(upstream, ServiceUpstream):
            known = self._services.get(str(upstream))
            address = upstream.address or (known.address if known is not None else "")
            return [Upstream(address, upstream.port)] if address else []
        addresses = self._nameservers.get(upstream.path, ())
        return [Upstream(address, transport.default_port) for address in addresses]

    def _budget_of(self, zone: Zone, workers: int) -> Budget[Deferred]:
        """The budget that goes on, if there was one: each worker has an equal part."""
        share = zone.queries_per_second / workers
        budget = self._budgets.get(zone.names)
        if budget is None:
            return Budget(share)
        budget.change(share)
        return budget

    def _is_self(self, upstream: Upstream) -> bool:
        """Whether asking there would be asking ourselves: then every miss would go round in circles."""
        listen = self._config.listen
        if upstream.port != listen.port:
            return False
        from ipaddress import ip_address  # noqa: PLC0415 - 0.2 MiB that a resolver at a port of its own does without

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
        self._nameservers[path], self._searches[path] = parse_resolv_conf(text or ""), _searches(text or "")
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
        nameservers, searches = parse_resolv_conf(text), _searches(text)
        if nameservers == self._nameservers.get(path) and searches == self._searches.get(path):
            return
        if not nameservers:
            # A file that is empty for a moment (or for good) is no reason to forget the servers that work.
            event(_log, logging.WARNING, "resolv.conf names no servers, the old ones stay in use", file=path)
            return
        self._nameservers[path], self._searches[path] = nameservers, searches
        event(_log, logging.INFO, "resolv.conf changed", file=path, servers=", ".join(nameservers))
        self.on_routes(self.routes(self._config))

    def _tick(self) -> None:
        self._timer = self._loop.call_later(_PROBE_TICK_SECONDS, self._tick)
        for server in self.servers:
            if server.health.down:
                self._prober.probe(server)


def _searches(text: str) -> tuple[bytes, ...]:
    """The search domains of a resolv.conf in wire form, but for what is no name."""
    found = []
    for name in parse_searches(text):
        with contextlib.suppress(ValueError):
            found.append(names.to_wire(name))
    return tuple(found)


def _is_local(address: "IPv4Address | IPv6Address") -> bool:
    """Whether this machine has the address: then a socket can be bound to it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
