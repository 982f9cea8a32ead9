"""What can come of a client's packet, and the words for where it came in and where its reply came from."""

from collections.abc import Callable
from enum import Enum, StrEnum
from typing import Final, NamedTuple

from resolver.cache.entry import Entry
from resolver.cache.packets import Packets
from resolver.message import codes
from resolver.message.answer import Answer
from resolver.message.query import Query
from resolver.message.reply import Ede
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


TCP_IDLE_SECONDS: Final = 10.0
"""How long a client's connection may be idle; told to clients that ask (RFC 7828)."""


class Via:
    """A way in: a transport and an address family, with the ready replies for it."""

    __slots__ = ("family", "keepalive_seconds", "ready", "tcp")

    def __init__(self, *, tcp: bool, family: int, ready: Packets) -> None:
        self.tcp = tcp
        self.family = family
        """4 or 6."""
        self.ready = ready
        self.keepalive_seconds = TCP_IDLE_SECONDS if tcp else None
        """For a reply's OPT record; None: that option is for TCP."""


class Reply(NamedTuple):
    """Send this now."""

    packet: bytes


class Pending:
    """A question that has to be looked up first (`Engine.ask`), and the one reply that is owed to its client."""

    __slots__ = ("client", "query", "respond", "route", "since", "stale", "via")

    def __init__(
        self, query: Query, client: str, via: Via, route: Route[Server], stale: Entry | None, since: float
    ) -> None:
        self.query = query
        self.client = client
        self.via = via
        self.route = route
        self.stale = stale
        """An expired answer that may be served if no fresh one comes soon."""
        self.since = since
        self.respond: Callable[[bytes], None] | None = None
        """Sends the reply; None: nobody waits for one, or it is sent."""

    def answer(self, reply: bytes) -> None:
        """Send the reply. Whatever comes first counts: the fresh answer, the stale one, or the news of a failure."""
        respond, self.respond = self.respond, None
        if respond is not None:
            respond(reply)


class Awaited:
    """Waits for a flight on behalf of another question, for whose `client` it is."""

    __slots__ = ("client", "landed")

    def __init__(self, landed: "Callable[[Landed], None]", client: str) -> None:
        self.landed = landed
        """Is told what the flight has brought home."""
        self.client = client


class Drop(Enum):
    """Send nothing."""

    NOT_A_QUERY = "not a query"


class Landed(NamedTuple):
    """What a flight brought home: an answer (and its entry, where it is remembered), or the reason of a failure."""

    answer: Answer | None
    entry: Entry | None
    ede: Ede | None


DEFECT = Landed(None, None, Ede(codes.EDE_OTHER, "the answer could not be handled"))

Outcome = Reply | Pending | Drop
Observer = Callable[[Query, bytes, str, Via, Source, float], None]
"""(query, reply, client, via, source, seconds it took): the query log. Of a malformed query see `query.salvage`."""
