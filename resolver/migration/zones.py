"""Server blocks to zones: for each name that a block treats differently from the rest, what happens to it.

A Corefile decides in steps (the block with the longest matching zone, then the first `forward` whose zone matches and
that does not except the name, `cache` by zones of its own); resolver.yaml has one flat list in which the longest name
wins. So each name that one of the steps mentions is followed through all of them, and names that fare alike share an
entry.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from resolver.migration.caching import NOT_CACHED, Caching
from resolver.migration.forwarding import Forward, Tell
from resolver.migration.names import depth, is_below
from resolver.migration.quantities import duration
from resolver.migration.remarks import Grade
from resolver.migration.tokens import Token


@dataclass(slots=True)
class Server:
    """One block: its zones with the words that name them, and its plugins, read."""

    zones: dict[str, Token]
    forwards: list[Forward] = field(default_factory=list)
    caching: Caching = field(default_factory=lambda: NOT_CACHED)
    tell: Tell = lambda *_: None
    origin: str = ""

    def mentioned(self) -> list[str]:
        """Its zones, and names below them that are treated in a way of their own."""
        caching = self.caching
        names: list[str] = list(self.zones)
        for forward in self.forwards:
            names += (forward.zone, *forward.excepted)
        names += (*caching.zones, *caching.without_success, *caching.without_denial)
        return [name for name in dict.fromkeys(names) if any(is_below(name, zone) for zone in self.zones)]

    def forward_of(self, name: str) -> Forward | None:
        """The one that a name goes to."""
        return next((each for each in self.forwards if _takes(each, name)), None)


def _takes(forward: Forward, name: str) -> bool:
    return is_below(name, forward.zone) and not any(is_below(name, each) for each in forward.excepted)


class Treatment(NamedTuple):
    """A zone of resolver.yaml but for its names."""

    upstreams: tuple[str, ...]
    transport: str
    policy: str
    max_ttl: int
    max_nttl: int
    attempt_timeout: str = ""
    serve_stale: str = ""


class Entry(NamedTuple):
    """A zone of resolver.yaml; `origins` tell where it came from."""

    names: tuple[str, ...]
    treatment: Treatment
    origins: tuple[str, ...]


def entries(servers: list[Server], own: frozenset[str]) -> tuple[Entry, ...]:
    """The zones, in the order of the blocks. `own` are addresses (as upstreams write them) of the resolver itself."""
    owners = {zone: server for server in servers for zone in server.zones}
    found: dict[Treatment, list[tuple[str, str]]] = {}
    for server in servers:
        treated: dict[str, Treatment | None] = {}
        for name in sorted(server.mentioned(), key=depth):
            owner = _longest(name, owners)
            if owner is None or owners[owner] is not server:
                continue
            treatment = _treatment(server, name, own)
            parent = None if name == "." else _longest(name.partition(".")[2] or ".", treated)
            if name in server.zones or parent is None or treated[parent] != treatment:
                treated[name] = treatment
        for name in sorted(treated, key=server.mentioned().index):
            if (settled := treated[name]) is not None:
                found.setdefault(settled, []).append((name, server.origin))
    return tuple(
        Entry(tuple(name for name, _ in those), treatment, tuple(dict.fromkeys(origin for _, origin in those)))
        for treatment, those in found.items()
    )


def _longest(name: str, zones: Iterable[str]) -> str | None:
    return max((zone for zone in zones if is_below(name, zone)), key=depth, default=None)


def _treatment(server: Server, name: str, own: frozenset[str]) -> Treatment | None:
    """None if there is nothing that could be done with it; `server.tell` has heard why."""
    where = server.zones.get(name)
    forward = server.forward_of(name)
    if forward is None:
        _tell_unanswered(server, name)
        return None
    upstreams = tuple(each for each in forward.upstreams if each not in own)
    if len(upstreams) < len(forward.upstreams):
        server.tell(
            forward.where,
            "forward",
            Grade.LEFT_OUT,
            f"{', '.join(sorted(set(forward.upstreams) - set(upstreams)))} is this resolver itself: give the "
            "address of another Service with the same pods, such as kube-dns-upstream",
        )
    if not upstreams:
        server.tell(
            where or forward.where,
            f"zone {name}",
            Grade.LEFT_OUT,
            _elsewhere(name, "no server of it could be carried over"),
        )
        return None
    max_ttl, max_nttl = server.caching.ttls(name)
    stale = server.caching.stale_seconds
    return Treatment(
        upstreams,
        forward.transport,
        forward.policy,
        max_ttl,
        max_nttl,
        forward.attempt_timeout,
        "" if stale is None else duration(stale),
    )


def _tell_unanswered(server: Server, name: str) -> None:
    where = server.zones.get(name) or next(iter(server.zones.values()))
    if server.forwards:
        why = "CoreDNS answers SERVFAIL, since no forward of the block takes it"
    else:
        why = "the block has no forward"
    server.tell(where, f"zone {name}", Grade.LEFT_OUT, _elsewhere(name, why))


def _elsewhere(name: str, why: str) -> str:
    where = (
        "questions that are in no other zone are refused"
        if name == "."
        else "its names go where the zone above it goes"
    )
    return f"{why}; here, {where}"
