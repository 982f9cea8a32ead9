"""Carries out exchanges: a loop without decisions between `exchange` (whom to ask, when) and the channels (how).

Everything here is a callback: a lookup costs no task and no future, because nearly all of them are one send and one
answer. `done` is called exactly once per lookup, never from inside `start`.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from time import monotonic

from resolver.config.values import Transport
from resolver.message import codes
from resolver.message.answer import Kind, read_answer
from resolver.message.ask import write_query
from resolver.message.query import BadPacket
from resolver.message.reply import Ede
from resolver.upstream.attempt import Attempt
from resolver.upstream.chance import shuffle
from resolver.upstream.deferral import Turns
from resolver.upstream.exchange import Exchange, Failed, Finished, Send, Wait
from resolver.upstream.haste import AGAIN_SECONDS, LOOK_SECONDS
from resolver.upstream.routes import Route
from resolver.upstream.server import Server
from resolver.upstream.timers import Patience, Timers
from resolver.upstream.transport import Problem

Result = Finished | Failed
Done = Callable[[bytes, Route[Server], Result], None]
"""(key, route, result), as the lookup was started."""

DO_BIT = 1
CD_BIT = 2
_NO_BUDGET = Failed(Ede(codes.EDE_OTHER, "the budget of this zone (queriesPerSecond) is used up"), telling=False)


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
        self.turns = Turns(timers, clock)
        self._patience: dict[float, Patience] = {}

    def start(self, key: bytes, route: Route[Server], done: Done, client: str = "") -> None:
        """Look up the question of a cache key (`Query.key`) at the servers of its zone.

        `client`: who waits for it, which matters where a budget is short; "": nobody.
        """
        _Lookup(self, key, route, done).begin(client)

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

    __slots__ = ("_deadline", "_done", "_exchange", "_patience", "_route", "_sent_at", "_servers", "_ticket",
                 "attempts", "key", "lookups", "question")  # fmt: skip

    def __init__(self, lookups: Lookups, key: bytes, route: Route[Server], done: Done) -> None:
        self.lookups = lookups
        self.key = key
        self.question = key[:-1]
        self._route = route
        self._servers = route.order(shuffle)
        self._done: Done | None = done
        self._exchange: Exchange | None = None
        self.attempts: list[Attempt] = []

    @property
    def dnssec_ok(self) -> bool:
        """Whether DO is set: what is asked, and how answers are read."""
        return bool(self.key[-1] & DO_BIT)

    def begin(self, client: str) -> None:
        """Ask the first server, once the budget allows for it."""
        lookups, zone, budget = self.lookups, self._route.zone, self._route.budget
        self._sent_at = now = lookups.clock()
        self._deadline = now + zone.timeout_seconds
        if not self._servers:
            lookups.loop.call_soon(self.overdue, now)  # fails, but not before the caller has returned
        elif budget is None or budget.admit(now):
            self.send_first(now)
        else:
            spare = max(zone.timeout_seconds - zone.attempt_timeout_seconds, 0.0)
            if not lookups.turns.defer(self, budget, client, lookups.patience(spare)):
                lookups.loop.call_soon(self.refused)

    def refused(self) -> None:
        """There is no budget for this question."""
        self._finish(_NO_BUDGET)

    def send_first(self, now: float) -> None:
        """Ask the first server now."""
        lookups, route = self.lookups, self._route
        zone = route.zone
        self._sent_at = now
        patience = min(zone.attempt_timeout_seconds, zone.timeout_seconds)
        if route.alike:
            route.haste.began()
            patience = min(patience, LOOK_SECONDS)
        self._patience = lookups.patience(patience)
        bits = self.key[-1]
        query = write_query(self.question, dnssec_ok=bool(bits & DO_BIT), checking_disabled=bool(bits & CD_BIT))
        channel = self._servers[0].channel_for(self.question, now, default=self._route.default)
        self._ticket = channel.send(query, self.question, self)
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
                    if server.suspects.watching:
                        server.suspects.answered(self.question)
                    if server.answered(facts.rcode, now - self._sent_at, now):
                        self.lookups.on_health(server)
                    done(self.key, self._route, Finished(answer, server))
                    return
        if done is not None:
            self._difficult()
        if self.attempts:
            self.attempts[0].answered(packet)

    def failed(self, problem: Problem) -> None:
        """The first send has failed: see `transport.Attempt`."""
        if self._done is not None:
            self._difficult()
        if self.attempts:
            self.attempts[0].failed(problem)

    def overdue(self, now: float) -> None:
        """The first send is silent, or worth a look. Also how an exchange without servers comes to its end."""
        if self._done is not None:
            self._difficult()
            self.proceed(now)

    def proceed(self, now: float) -> None:
        """Do what the exchange wants next; also the callback of the timer."""
        exchange = self._exchange
        if self._done is None or exchange is None:
            return
        self._note_silence(now)
        if self._route.alike:
            self._hasten(exchange, now)
        while True:
            step = exchange.next_step(now)
            if isinstance(step, Send):
                self._send(step, now)
            elif isinstance(step, Wait):
                until = min(step.until, now + AGAIN_SECONDS) if self._route.alike else step.until
                self.lookups.timers.at(until, self.proceed)
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
                self._servers, zone.attempt_timeout_seconds, self._deadline - self._sent_at, self._sent_at,
                over_udp=zone.transport is Transport.UDP,
            )  # fmt: skip
            if self._servers:
                self._patience.end(self)
                first = exchange.next_step(self._sent_at)
                assert isinstance(first, Send)  # noqa: S101 - with a server there is no other first step
                attempt = Attempt(self, exchange, first, self._sent_at)
                attempt.ticket = self._ticket
                self.attempts.append(attempt)
        return exchange

    def _send(self, send: Send, now: float) -> None:
        server: Server = send.server
        query = write_query(
            self.question, dnssec_ok=self.dnssec_ok, checking_disabled=bool(self.key[-1] & CD_BIT), edns=send.edns
        )
        if self._route.budget is not None:
            self._route.budget.spend(now)
        channel = server.channel_for(self.question, now, default=self._route.default, over_tcp=send.over_tcp)
        avoid = None if send.hedged is None else self.attempts[send.hedged].ticket
        attempt = Attempt(self, self._difficult(), send, now)
        self.attempts.append(attempt)
        attempt.ticket = channel.send(query, self.question, attempt, avoid)

    def _note_silence(self, now: float) -> None:
        """Tell the transport and the server's record about the tries that stayed without an answer for too long."""
        for attempt in self.attempts:
            late = now - attempt.sent_at - self._route.zone.attempt_timeout_seconds
            if attempt.waiting and late >= 0:
                attempt.note_silence(now, late)

    def _hasten(self, exchange: Exchange, now: float) -> None:
        """Ask elsewhere early if the way of the last try has gone quiet."""
        if not self.attempts:
            return
        attempt = self.attempts[-1]
        if attempt.waiting and not attempt.hastened and attempt.ticket.quiet():
            latency = attempt.send.server.health.latency_seconds
            if self._route.haste.take(now - attempt.sent_at, latency):
                attempt.hastened = True
                exchange.hasten(now)

    def _finish(self, result: Result) -> None:
        done, self._done = self._done, None
        if isinstance(result, Failed) and self._route.has_come_back(since=self._sent_at):
            result = result._replace(telling=False)
        on_trial = []
        for attempt in self.attempts:
            if attempt.hastened and attempt.waiting:
                # Whether it was silent is known only when its time is up.
                on_trial.append(attempt)
                due = attempt.sent_at + self._route.zone.attempt_timeout_seconds
                self.lookups.timers.at(due, attempt.time_is_up)
            elif not attempt.over:
                attempt.ticket.cancel()
        # A timer may hold this object for a while yet: let go of all it refers to.
        self.attempts = on_trial  # the first send's, if there is any, is the first
        self._exchange = None
        if done is not None:
            done(self.key, self._route, result)
