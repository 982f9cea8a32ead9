"""A Config on its way to another process of the same version: as values that JSON knows, and back.

Not resolver.yaml's form: that takes the table of all keys and their checks, and what travels here was checked before.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from resolver.config.values import (
    Admin,
    Cache,
    Config,
    Kubernetes,
    Listen,
    Log,
    LogFormat,
    LogLevel,
    Node,
    Policy,
    ResolvConf,
    ServiceUpstream,
    Transport,
    Upstream,
    Zone,
)

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    from resolver.config.values import AnyUpstream


def to_plain(config: Config) -> list[Any]:
    """The value as lists, strings, numbers and None; each field at its place."""
    return cast("list[Any]", _plain(config))


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def from_plain(plain: Sequence[Any]) -> Config:
    """What `to_plain` was given."""
    (addresses, port, workers, allowed), zones, cache, node, kubernetes, admin, (log_format, level, queries) = plain
    return Config(
        Listen(tuple(addresses), port, workers, _networks(allowed)),
        tuple(_zone(*each) for each in zones),
        Cache(*cache),
        Node(*node),
        Kubernetes(*kubernetes),
        Admin(*admin),
        Log(LogFormat(log_format), LogLevel(level), queries),
    )


def _zone(names: list[str], upstreams: list[list[Any]], transport: str, policy: str, *rest: Any) -> Zone:  # noqa: ANN401
    return Zone(tuple(names), tuple(map(_upstream, upstreams)), Transport(transport), Policy(policy), *rest)


def _upstream(each: list[Any]) -> "AnyUpstream":
    kinds: dict[int, type[AnyUpstream]] = {1: ResolvConf, 3: Upstream, 4: ServiceUpstream}
    return kinds[len(each)](*each)


def _networks(allowed: list[str]) -> "tuple[IPv4Network | IPv6Network, ...]":
    if not allowed:
        return ()
    from ipaddress import ip_network  # noqa: PLC0415 - 0.2 MiB for who admits everybody

    return tuple(map(ip_network, allowed))
