"""What no key can say alone: values held against each other, once each of them has passed its own check.

The table (schema.py) names these functions; `reading.py` calls them.
"""

from collections.abc import Iterator
from ipaddress import ip_address

from resolver.config.problems import Problem
from resolver.config.quantities import PORT_OF_TRANSPORT
from resolver.config.values import (
    AnyUpstream,
    Config,
    Listen,
    ServiceUpstream,
    Transport,
    Upstream,
    Zone,
    overlap,
)


def with_ports(zone: Zone) -> Zone:
    """The zone with the port of its transport for each upstream that names none."""
    return zone._replace(upstreams=tuple(_with_port(upstream, zone.transport) for upstream in zone.upstreams))


def _with_port(upstream: AnyUpstream, transport: Transport) -> AnyUpstream:
    if isinstance(upstream, Upstream) and upstream.port == PORT_OF_TRANSPORT:
        return upstream._replace(port=transport.default_port)
    return upstream


def review_zone(zone: Zone) -> Iterator[Problem]:
    """What a zone's keys say against each other."""
    if zone.attempt_timeout_seconds > zone.timeout_seconds:
        yield Problem("attemptTimeout", "must not be longer than timeout")
    for index, upstream in enumerate(zone.upstreams):
        if isinstance(upstream, Upstream) and upstream.tls_name is not None and zone.transport is not Transport.TLS:
            yield Problem(
                f"upstreams[{index}]", f"#{upstream.tls_name} is for transport tls, this zone's is {zone.transport}"
            )
        if isinstance(upstream, ServiceUpstream):
            if index:
                yield Problem(f"upstreams[{index}]", "a service comes first, and there is one at most")
            if zone.transport is Transport.TLS:
                yield Problem(f"upstreams[{index}]", "a service is asked over tcp or udp, this zone's transport is tls")
        if upstream in zone.upstreams[:index]:
            yield Problem(f"upstreams[{index}]", "is listed twice")


def review_listen(listen: Listen) -> Iterator[Problem]:
    """Addresses that stand in each other's way."""
    for index, address in enumerate(listen.addresses):
        for other in listen.addresses[:index]:
            if overlap(address, other):
                yield Problem(f"addresses[{index}]", f"{address} and {other} cannot be listened on at the same time")


def review_config(config: Config) -> Iterator[Problem]:
    """What sections say against each other."""
    owner: dict[str, int] = {}
    for z, zone in enumerate(config.zones):
        for n, name in enumerate(zone.names):
            if owner.setdefault(name, z) != z:
                yield Problem(f"zones[{z}].names[{n}]", f"{name!r} is named in zones[{owner[name]}] already")
        for u, upstream in enumerate(zone.upstreams):
            if isinstance(upstream, Upstream) and _is_own(upstream, config.listen):
                yield Problem(f"zones[{z}].upstreams[{u}]", f"{upstream} is this resolver itself")
    if config.node.notrack and all(ip_address(each).is_unspecified for each in config.listen.addresses):
        yield Problem("node.notrack", "needs an address in listen.addresses that is not 0.0.0.0 or ::")


def _is_own(upstream: Upstream, listen: Listen) -> bool:
    return upstream.address in listen.addresses and upstream.port == listen.port
