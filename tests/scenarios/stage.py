"""What a player plays on: the settings of a story, and a world with clients, servers and time.

`PureWorld` is our engine in time of its own; `wire.WireWorld` is a server behind real sockets.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from resolver.config import Cache, Policy, Transport, Zone
from resolver.upstream.transport import Problem
from tests.scenarios.checks import Strictness
from tests.scenarios.language import Step, seconds
from tests.unit.world import CLIENT, Asked, World, zone

_MIB = 1024 * 1024

_ZONE_SETTINGS: dict[str, tuple[str, Callable[[str], object]]] = {
    "transport": ("transport", Transport),
    "policy": ("policy", Policy),
    "maxTTL": ("max_ttl", int),
    "maxNTTL": ("max_nttl", int),
    "attemptTimeout": ("attempt_timeout_seconds", seconds),
    "timeout": ("timeout_seconds", seconds),
    "serveStale": ("serve_stale_seconds", seconds),
}


def servers_of(zone: Zone) -> list[str]:
    """The names of a zone's servers."""
    return [str(getattr(upstream, "address", upstream)) for upstream in zone.upstreams]


class Query(Protocol):
    """A query that went upstream."""

    server: str
    transport: Transport
    question: bytes
    """In wire form."""

    @property
    def flags(self) -> int: ...
    @property
    def edns(self) -> bool: ...
    @property
    def dnssec_ok(self) -> bool: ...
    @property
    def name(self) -> str: ...
    @property
    def qtype(self) -> int: ...

    def answer(self, packet: bytes) -> None:
        """This comes from the server."""

    def fail(self, problem: Problem) -> None:
        """The try ends so."""


class Stage(Strictness, Protocol):
    """What a player needs of a world. Where it is `exact`, it asks nothing twice."""

    @property
    def queries(self) -> list[Any]:
        """All that went upstream, in order."""

    def ask(self, packet: bytes, *, tcp: bool = False, client: str = CLIENT) -> Asked:
        """A client asks."""

    def go(self, seconds: float) -> None:
        """Time passes."""

    def settle(self, condition: Callable[[], bool]) -> None:
        """Give the condition the time to come true that it may take."""

    def rest(self) -> None:
        """Let what is under way arrive."""

    def flush(self, name: bytes, *, below: bool) -> None:
        """Somebody empties the cache."""


@dataclass
class Settings:
    """What the lines before the first event say."""

    zones: list[Zone] = field(default_factory=list)
    cache: Cache = field(default_factory=Cache)
    allowed: list[str] = field(default_factory=list)

    def add_zone(self, step: Step) -> None:
        """zone NAME... [servers=A,B] [setting=value...]"""
        servers = step.options.pop("servers", "ns1").split(",")
        settings = {}
        for word in list(step.options):
            name, convert = _ZONE_SETTINGS[word]
            settings[name] = convert(step.options.pop(word))
        zone_names = (name.removesuffix(".") or "." for name in step.words)
        self.zones.append(zone(*zone_names, servers=servers, **settings))

    def set_cache(self, step: Step) -> None:
        """cache [staleAfter=200ms] [prefetch=off] [size=16] (MiB)"""
        stale_after, size = seconds(step.options.pop("staleAfter", "200ms")), int(step.options.pop("size", "16"))
        prefetch = step.options.pop("prefetch", "on") == "on"
        step.done(0)
        self.cache = Cache(size * _MIB, stale_after, prefetch)


class PureWorld(World):
    """Our engine, in no time."""

    exact = True
    reasons: frozenset[str] | None = None
    ttl_slack = 0

    @classmethod
    def make(cls, settings: Settings) -> Stage:
        return cls(*settings.zones, cache=settings.cache, allowed=settings.allowed)

    @property
    def queries(self) -> list[Any]:
        return self.sends

    def settle(self, condition: Callable[[], bool]) -> None:
        """What will be is there already."""

    def rest(self) -> None:
        """Nothing is under way."""

    def flush(self, name: bytes, *, below: bool) -> None:
        self.engine.flush(name, below=below)
