"""Carries out exchanges: a loop without decisions between `exchange` (whom to ask, when) and the channels (how).

Everything here is a callback: a lookup costs no task and no future, because nearly all of them are one send and one
answer. `done` is called exactly once per lookup, never from inside `start`.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from random import shuffle
from time import monotonic

from resolver.message.answer import Kind, read_answer
from resolver.message.ask import write_query
from resolver.message.query import BadPacket
from resolver.upstream.exchange import Exchange, Failed, Finished, Send, Wait
from resolver.upstream.routes import Route
from resolver.upstream.server import Server
from resolver.upstream.timers import Patience, Timers
from resolver.upstream.transport import Problem, Ticket

Result = Finished | Failed
Done = Callable[[bytes, Route[Server], Result], None]
"""(key, route, result), as the lookup was started."""

DO_BIT = 1
CD_BIT = 2


class Lookups:
    """Starts lookups and keeps the health of the servers they meet. One per event loop."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        timers: Timers,
        on_health: Callable[[Server], None] = lambda _: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.loop = loop
        self.clock = clock
        self.timers = timers
        self.on_health = on_health
        """Called when a server went down or came back."""
        self._patience: dict[float, Patience] = {}

    def start(self, key: bytes, route: Route[Server], done: Done) -> None:
        """Look up the question of a cache key (`Query.key`) at the servers of its zone."""
        _Lookup(self, key, route, done).begin()

    def patience(self, seconds: float) -> Patience:
        """What waits for lookups whose first send has so many seconds."""
        patience = self._patience.get(seconds)
        if patience is None:
            patience = self._patience[seconds] = Patience(self.timers, seconds)
        return patience

    def failed(self, server: Server, *, known: bool = False) -> None:
        """A try at a server ended without a readable response (`known`: see `Health.failed`)."""
        if server.health.failed(self.clock(), known=known):
            self.on_health(server)


class _Lookup:
    """One question under way. It is the attempt (`transport.Attempt`) of its own first send.

    Nearly every lookup is one send and one good answer, and nothing more is made for those. Anything else, silence
    included, is for an Exchange to decide about: being pure, it can be begun when it is needed (`_difficult`).
    """

    __slots__ = ("_done", "_exchange", "_patience", "_route", "_sent_at", "_servers", "_ticket", "attempts", "key",
                 "lookups", "question")  # fmt: skip

    def __init__(self, lookups: Lookups, key: bytes, route: Route[Server], done: Done) -> None:
        self.lookups = lookups
        self.key = key
        self.question = key[:-1]
        self._route = route
        self._servers = route.order(shuffle)
        self._done: Done | None = done
        self._exchange: Exchange | None = None
        self.attempts: list[_Attempt] = []

    @property
    def over(self) -> bool:
        """Whether the result is known."""
        return self._done is None

    @property
    def dnssec_ok(self) -> bool:
        """Whether DO is set: what is asked, and how answers are read."""
        return bool(self.key[-1] & DO_BIT)

    def begin(self) -> None:
        """Ask the first server."""
        lookups, zone = self.lookups, self._route.zone
        self._sent_at = now = lookups.clock()
        if not self._servers:
            lookups.loop.call_soon(self.overdue, now)  # fails, but not before the caller has returned
            return
        self._patience = lookups.patience(min(zone.attempt_timeout_seconds, zone.timeout_seconds))
        bits = self.key[-1]
        query = write_query(self.question, dnssec_ok=bool(bits & DO_BIT), checking_disabled=bool(bits & CD_BIT))
        self._ticket = self._servers[0].channel.send(query, self.question, self)
        self._patience.begin(self, now)

    def answered(self, packet: bytes) -> None:
        """The first send was answered: see `transport.Attempt`."""
        done = self._done
        if self._exchange is None and done is not None:
            try:
                answer = read_answer(packet, self.question, dnssec_ok=bool(self.key[-1] & DO_BIT))
            except BadPacket:
                pass
            else:
                facts = answer.facts
                if facts.kind is not Kind.FAILURE and not facts.truncated:
                    server, now = self._servers[0], self.lookups.clock()
                    self._patience.end(self)
                    self._done = None
                    if server.answered(facts.rcode, now - self._sent_at, now):
                        self.lookups.on_health(server)
                    done(self.key, self._route, Finished(answer, server))
                    return
        if done is not None:
            self._difficult()
            self.attempts[0].answered(packet)

    def failed(self, problem: Problem) -> None:
        """The first send has failed: see `transport.Attempt`."""
        if self._done is not None:
            self._difficult()
            self.attempts[0].failed(problem)

    def overdue(self, now: float) -> None:
        """The first send is silent. Also how an exchange without servers comes to its end."""
        if self._done is not None:
            self._difficult()
            self.proceed(now)

    def proceed(self, now: float) -> None:
        """Do what the exchange wants next; also the callback of the timer."""
        exchange = self._exchange
        if self._done is None or exchange is None:
            return
        self._note_silence(now)
        while True:
            step = exchange.next_step(now)
            if isinstance(step, Send):
                self._send(step, now)
            elif isinstance(step, Wait):
                self.lookups.timers.at(step.until, self.proceed)
                return
            else:
                self._finish(step)
                return

    def _difficult(self) -> Exchange:
        """The exchange that decides from now on; it learns of the first send as if it had ordered it."""
        exchange = self._exchange
        if exchange is None:
            zone = self._route.zone
            exchange = self._exchange = Exchange(
                self._servers, zone.attempt_timeout_seconds, zone.timeout_seconds, self._sent_at
            )
            if self._servers:
                self._patience.end(self)
                first = exchange.next_step(self._sent_at)
                assert isinstance(first, Send)  # noqa: S101 - with a server there is no other first step
                attempt = _Attempt(self, exchange, first, self._sent_at)
                attempt.ticket = self._ticket
                self.attempts.append(attempt)
        return exchange

    def _send(self, send: Send, now: float) -> None:
        server: Server = send.server
        query = write_query(
            self.question, dnssec_ok=self.dnssec_ok, checking_disabled=bool(self.key[-1] & CD_BIT), edns=send.edns
        )
        channel = server.tcp_channel if send.over_tcp else server.channel
        avoid = None if send.hedged is None else self.attempts[send.hedged].ticket
        attempt = _Attempt(self, self._difficult(), send, now)
        self.attempts.append(attempt)
        attempt.ticket = channel.send(query, self.question, attempt, avoid)

    def _note_silence(self, now: float) -> None:
        """Tell the transport and the server's record about the tries that stayed without an answer for too long."""
        for attempt in self.attempts:
            if attempt.waiting and now - attempt.sent_at >= self._route.zone.attempt_timeout_seconds:
                attempt.waiting = False
                attempt.ticket.silent()
                self.lookups.failed(attempt.send.server)

    def _finish(self, result: Result) -> None:
        done, self._done = self._done, None
        for attempt in self.attempts:
            if not attempt.over:
                attempt.ticket.cancel()
        # A timer may hold this object for a while yet: let go of all it refers to.
        self.attempts = []
        self._exchange = None
        if done is not None:
            done(self.key, self._route, result)


class _Attempt:
    """One send of a difficult lookup, and what came of it. Implements `transport.Attempt`."""

    __slots__ = ("exchange", "lookup", "over", "send", "sent_at", "ticket", "waiting")

    ticket: Ticket

    def __init__(self, lookup: _Lookup, exchange: Exchange, send: Send, sent_at: float) -> None:
        self.lookup = lookup
        self.exchange = exchange
        self.send = send
        self.sent_at = sent_at
        self.waiting = True
        self.over = False

    def answered(self, packet: bytes) -> None:
        """See `transport.Attempt`."""
        lookup = self.lookup
        self.over = True
        if lookup.over:
            return
        server: Server = self.send.server
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
        if not self.lookup.over:
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
