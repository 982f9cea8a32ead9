"""What can come of a client's packet, and the words for where it came in and where its reply came from."""

from collections.abc import Callable
from enum import Enum, StrEnum
from typing import NamedTuple

from resolver.cache.packets import Packets
from resolver.cache.store import Entry
from resolver.message.query import Query
from resolver.upstream.routes import Route
from resolver.upstream.server import Server


class Source(StrEnum):
    """Where a reply came from."""

    HIT = "cache"
    STALE = "stale"
    UPSTREAM = "forward"
    FAILURE = "failure"
    """SERVFAIL, just found out or remembered."""
    REJECTED = "rejected"
    """Refused by ourselves: malformed, not implemented, not allowed, no zone."""


class Via:
    """A way in: a transport and an address family, with the ready replies for it."""

    __slots__ = ("family", "ready", "tcp")

    def __init__(self, *, tcp: bool, family: int, ready: Packets) -> None:
        self.tcp = tcp
        self.family = family
        """4 or 6."""
        self.ready = ready


class Reply(NamedTuple):
    """Send this now."""

    packet: bytes


class Pending(NamedTuple):
    """A question that has to be looked up first (`Engine.ask`)."""

    query: Query
    client: str
    via: Via
    route: Route[Server]
    stale: Entry | None
    """An expired answer that may be served if no fresh one comes soon."""
    since: float


class Drop(Enum):
    """Send nothing."""

    NOT_A_QUERY = "not a query"


Outcome = Reply | Pending | Drop
Observer = Callable[[Query, bytes, str, Via, Source, float], None]
"""(query, reply, client, via, source, seconds it took): the query log. Of a malformed query see `query.salvage`."""
