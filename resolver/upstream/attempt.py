"""One send of a difficult lookup, and what came of it: told to the lookup's exchange and to the server's record."""

from collections.abc import Callable
from typing import Final, Protocol

from resolver.message.answer import read_answer
from resolver.message.query import BadPacket
from resolver.upstream.exchange import Exchange, Send
from resolver.upstream.server import Server
from resolver.upstream.transport import Problem, Ticket

_LATE_SECONDS: Final = 0.1


class Records(Protocol):
    """Where the health of servers is kept: `lookup.Lookups`."""

    @property
    def clock(self) -> Callable[[], float]: ...

    @property
    def on_health(self) -> Callable[[Server], None]: ...

    def failed(self, server: Server, *, known: bool = False) -> None: ...


class Lookup(Protocol):
    """Whose attempt it is."""

    @property
    def lookups(self) -> Records: ...

    @property
    def question(self) -> bytes: ...

    @property
    def dnssec_ok(self) -> bool: ...

    def proceed(self, now: float) -> None:
        """Something has come of it. Does nothing once the lookup is over."""


class Attempt:
    """Implements `transport.Attempt`."""

    __slots__ = ("exchange", "hastened", "lookup", "over", "send", "sent_at", "ticket", "waiting")

    ticket: Ticket

    def __init__(self, lookup: Lookup, exchange: Exchange, send: Send, sent_at: float) -> None:
        self.lookup = lookup
        self.exchange = exchange
        self.send = send
        self.sent_at = sent_at
        self.waiting = True
        """Its time is not up yet."""
        self.hastened = False
        """Another try was made before its time was up. Then it is waited for, whatever came of that."""
        self.over = False

    def note_silence(self, now: float, late: float = 0.0) -> None:
        """Its time is up, since `late` seconds: tell the transport and the server's record."""
        self.waiting = False
        server: Server = self.send.server
        # Whoever comes late itself knows nothing of names: answers may wait to be read.
        if self.ticket.silent() and late < _LATE_SECONDS:
            server.suspects.held_up(self.lookup.question, now)
        self.lookup.lookups.failed(server)

    def time_is_up(self, now: float) -> None:
        """The same, when its lookup may be over."""
        if not self.over:
            self.over = True
            self.note_silence(now)
            self.ticket.cancel()

    def answered(self, packet: bytes) -> None:
        """See `transport.Attempt`."""
        self.over = True
        lookup, server = self.lookup, self.send.server
        lookups = lookup.lookups
        now = lookups.clock()
        try:
            answer = read_answer(packet, lookup.question, dnssec_ok=lookup.dnssec_ok)
        except BadPacket:
            self._failed(Problem.MALFORMED, now)
            return
        self.waiting = False
        if server.answered(answer.facts.rcode, now - self.sent_at, now):
            lookups.on_health(server)
        self.exchange.answered(self.send, answer, now)
        lookup.proceed(now)

    def failed(self, problem: Problem) -> None:
        """See `transport.Attempt`."""
        self.over = True
        self._failed(problem, self.lookup.lookups.clock())

    def _failed(self, problem: Problem, now: float) -> None:
        lookup = self.lookup
        # Waiting for the next connection and being full are our own doing and say nothing new about the server.
        if self.waiting and problem not in (Problem.BACKING_OFF, Problem.FULL):
            server: Server = self.send.server
            # A connection that closes under many questions is one event: a server that restarts is not down yet.
            known = problem is Problem.RESET and self.sent_at < server.health.failed_at
            lookup.lookups.failed(server, known=known)
        self.waiting = False
        self.exchange.failed(self.send, problem, now)
        lookup.proceed(now)
