"""Carries out exchanges: a loop without decisions between `exchange` (whom to ask, when) and the channels (how).

Everything here is a callback: a lookup costs no task and no future, because nearly all of them are one send and one
answer. `done` is called exactly once per lookup, never from inside `start`.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from random import shuffle
from time import monotonic

from resolver.message.answer import read_answer
from resolver.message.ask import write_query
from resolver.message.query import BadPacket
from resolver.upstream.exchange import Exchange, Failed, Finished, Send, Wait
from resolver.upstream.routes import Route
from resolver.upstream.server import Server
from resolver.upstream.timers import Timers
from resolver.upstream.transport import Problem, Ticket

Result = Finished | Failed
Done = Callable[[Result], None]

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

    def start(self, key: bytes, route: Route[Server], done: Done) -> None:
        """Look up the question of a cache key (`Query.key`) at the servers of its zone."""
        lookup = _Lookup(self, key, route, done)
        if route.servers:
            lookup.proceed()
        else:
            self.loop.call_soon(lookup.proceed)  # fails, but not before `start` has returned

    def succeeded(self, server: Server, seconds: float) -> None:
        """A server gave a readable response."""
        if server.health.succeeded(self.clock(), seconds):
            self.on_health(server)

    def failed(self, server: Server, *, known: bool = False) -> None:
        """A try at a server ended without a readable response (`known`: see `Health.failed`)."""
        if server.health.failed(self.clock(), known=known):
            self.on_health(server)


class _Lookup:
    """One question under way."""

    __slots__ = ("attempt_seconds", "attempts", "bits", "done", "exchange", "lookups", "question")

    def __init__(self, lookups: Lookups, key: bytes, route: Route[Server], done: Done) -> None:
        zone = route.zone
        self.lookups = lookups
        self.question = key[:-1]
        self.bits = key[-1]
        self.done: Done | None = done
        self.attempts: list[_Attempt] = []
        self.attempt_seconds = zone.attempt_timeout_seconds
        servers = route.order(shuffle)
        self.exchange = Exchange(servers, zone.attempt_timeout_seconds, zone.timeout_seconds, lookups.clock())

    def proceed(self, now: float | None = None) -> None:
        """Do what the exchange wants next; also the callback of the timer."""
        if self.done is None:
            return
        if now is None:
            now = self.lookups.clock()
        else:
            self._note_silence(now)
        while True:
            step = self.exchange.next_step(now)
            if isinstance(step, Send):
                self._send(step, now)
            elif isinstance(step, Wait):
                self.lookups.timers.at(step.until, self.proceed)
                return
            else:
                self._finish(step)
                return

    def _send(self, send: Send, now: float) -> None:
        server: Server = send.server
        dnssec_ok = bool(self.bits & DO_BIT)
        query = write_query(
            self.question, dnssec_ok=dnssec_ok, checking_disabled=bool(self.bits & CD_BIT), edns=send.edns
        )
        channel = server.tcp_channel if send.over_tcp else server.channel
        avoid = None if send.hedged is None else self.attempts[send.hedged].ticket
        attempt = _Attempt(self, send, now)
        self.attempts.append(attempt)
        attempt.ticket = channel.send(query, self.question, attempt, avoid)

    def _note_silence(self, now: float) -> None:
        """Tell the transport and the server's record about the tries that stayed without an answer for too long."""
        for attempt in self.attempts:
            if attempt.waiting and now - attempt.sent_at >= self.attempt_seconds:
                attempt.waiting = False
                attempt.ticket.silent()
                self.lookups.failed(attempt.send.server)

    def _finish(self, result: Result) -> None:
        done, self.done = self.done, None
        for attempt in self.attempts:
            if not attempt.over:
                attempt.ticket.cancel()
        # The timer may hold this object for a while yet: let go of all it refers to.
        self.attempts = []
        del self.exchange
        if done is not None:
            done(result)


class _Attempt:
    """One send of a lookup, and what came of it. Implements `transport.Attempt`."""

    __slots__ = ("lookup", "over", "send", "sent_at", "ticket", "waiting")

    ticket: Ticket

    def __init__(self, lookup: _Lookup, send: Send, sent_at: float) -> None:
        self.lookup = lookup
        self.send = send
        self.sent_at = sent_at
        self.waiting = True
        self.over = False

    def answered(self, packet: bytes) -> None:
        """See `transport.Attempt`."""
        lookup = self.lookup
        self.over = True
        if lookup.done is None:
            return
        server: Server = self.send.server
        now = lookup.lookups.clock()
        try:
            answer = read_answer(packet, lookup.question, dnssec_ok=bool(lookup.bits & DO_BIT))
        except BadPacket:
            self._failed(Problem.MALFORMED, now)
            return
        self.waiting = False
        lookup.lookups.succeeded(server, now - self.sent_at)
        server.observe(answer.rcode, now - self.sent_at)
        lookup.exchange.answered(self.send, answer, now)
        lookup.proceed()

    def failed(self, problem: Problem) -> None:
        """See `transport.Attempt`."""
        self.over = True
        if self.lookup.done is not None:
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
        lookup.exchange.failed(self.send, problem, now)
        lookup.proceed()


class Prober:
    """Asks servers that are down whether they are back: `. NS`, to which any readable response will do."""

    PROBE_KEY = b"\0\0\2\0\1\0"

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    def probe(self, server: Server) -> None:
        """Send a probe if one is due."""
        if server.probing or not server.health.take_probe(self._lookups.clock()):
            return
        server.probing = True
        _Probe(self._lookups, server).start()


class _Probe:
    """One probe under way. Implements `transport.Attempt`."""

    __slots__ = ("_lookups", "_over", "_sent_at", "_server", "_ticket")

    SECONDS = 1.0

    def __init__(self, lookups: Lookups, server: Server) -> None:
        self._lookups = lookups
        self._server = server
        self._sent_at = lookups.clock()
        self._over = False

    def start(self) -> None:
        question = Prober.PROBE_KEY[:-1]
        query = write_query(question, dnssec_ok=False, checking_disabled=False)
        self._ticket = self._server.channel.send(query, question, self)
        self._lookups.timers.at(self._sent_at + self.SECONDS, self._time_is_up)

    def answered(self, packet: bytes) -> None:
        """See `transport.Attempt`."""
        try:
            read_answer(packet, Prober.PROBE_KEY[:-1])
        except BadPacket:
            self.failed(Problem.MALFORMED)
            return
        self._end()
        self._lookups.succeeded(self._server, self._lookups.clock() - self._sent_at)

    def failed(self, problem: Problem) -> None:
        """See `transport.Attempt`."""
        self._end()
        if problem is not Problem.BACKING_OFF:
            self._lookups.failed(self._server)

    def _time_is_up(self, now: float) -> None:
        if not self._over:
            self._end()
            self._ticket.silent()
            self._ticket.cancel()
            self._lookups.failed(self._server)

    def _end(self) -> None:
        self._over, self._server.probing = True, False
