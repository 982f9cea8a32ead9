"""Lookups whose answer is made from answers to other questions: search lists completed, AAAA records left out.

Stands between flights and lookups, for zones that want it: to those who wait, and to the cache, it is one lookup with
one answer. Other questions are asked through flights of their own, so that they are shared and remembered; only what
must be known as the servers tell it (`Ask.as_asked`) is asked past them. A completion that cannot be finished in the
time of the question, or for want of an answer, gives up: the name does not exist as asked, which is true, and the
client takes the steps of its search list itself.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from resolver.cache.entry import Entry
from resolver.completion import Ask, Steps, complete
from resolver.message import codes
from resolver.message.answer import Answer, Kind
from resolver.message.query import BadPacket
from resolver.message.reply import Ede
from resolver.outcome import Awaited, Landed
from resolver.upstream.exchange import Failed, Finished
from resolver.upstream.lookup import Done, Lookups, Result
from resolver.upstream.routes import Route, Routes
from resolver.upstream.server import Server

_PLAIN = 0  # no DO, no CD: a client that validates is told what the servers say
_TYPE_A = codes.A.to_bytes(2, "big")
_COMPLETED = (codes.A, codes.AAAA)
_TOO_MANY = Failed(Ede(codes.EDE_OTHER, "too many lookups in flight"))
_DEFECT = Failed(Ede(codes.EDE_OTHER, "the answer could not be derived"))
_ARPA = b"\4arpa\0"


class Teller(NamedTuple):
    """Who said what an answer was made from, by name."""

    name: str


class Join(Protocol):
    """`Flights.join`."""

    def __call__(self, key: bytes, route: Route[Server], waiter: Awaited, /) -> bool: ...


class Derived:
    """`start` is as `Lookups.start`. `peek` finds a remembered answer, `join` waits for one."""

    def __init__(self, lookups: Lookups, peek: Callable[[bytes], Entry | None], join: Join) -> None:
        self.lookups = lookups
        self.peek = peek
        self.join = join
        self.completed: dict[str, int] = {"found": 0, "none": 0, "failed": 0}
        """Completions by how they ended."""
        self.filtered_total = 0
        """AAAA questions that were answered by what is known of the A records."""
        self._domains: tuple[bytes, ...] = ()
        self.routes: Routes[Server] = Routes(())

    def reconfigure(self, routes: Routes[Server]) -> bool:
        """Take over the zones; whether any of them wants this at all."""
        self.routes = routes
        self._domains = tuple(
            name for route in routes.all if route.zone.search_completion for name in route.names
            if not name.endswith(_ARPA) and name != b"\0"
        )  # fmt: skip
        return bool(self._domains) or any(route.zone.filter_aaaa for route in routes.all)

    def start(self, key: bytes, route: Route[Server], done: Done, client: str = "") -> None:
        """Look up the question of a cache key for a client; `done` is called once, never from inside."""
        qtype = key[-5] << 8 | key[-4]
        if key[-1] != _PLAIN or qtype not in _COMPLETED:
            self.lookups.start(key, route, done, client)
        elif qtype == codes.AAAA and route.zone.filter_aaaa:
            self._by_existence(key, route, done, client)
        else:
            steps = complete(key[:-5], self._domains, self.routes.searches, partial(self._is_missing, key[-5:]))
            if steps is None:
                self.lookups.start(key, route, done, client)
            else:
                _Completion(self, steps, done, client).start(key, route)

    def fresh(self, key: bytes) -> tuple[Entry, int] | None:
        """A remembered answer that holds, and its age in seconds."""
        now, entry = self.lookups.clock(), self.peek(key)
        return (entry, entry.age(now)) if entry is not None and entry.is_fresh(now) else None

    def _is_missing(self, rest: bytes, name: bytes) -> bool:
        """`rest`: of the key, behind the name."""
        found = self.fresh(name + rest)
        return found is not None and found[0].facts.kind is Kind.NXDOMAIN

    def _by_existence(self, key: bytes, route: Route[Server], done: Done, client: str) -> None:
        """Answer an AAAA question by what is known of the A records: a client asks for both anyway."""
        self.filtered_total += 1
        a_key = key[:-5] + _TYPE_A + key[-3:]
        finish = partial(self._without_addresses, key, route, done)
        known = self.fresh(a_key)
        soon = self.lookups.loop.call_soon
        if known is not None:
            soon(finish, known[0].answer, known[0].server, known[1])
        elif not self.join(a_key, route, Awaited(partial(self._addresses_known, key, route, done), client)):
            soon(done, key, route, _TOO_MANY)

    def _addresses_known(self, key: bytes, route: Route[Server], done: Done, landed: Landed) -> None:
        if landed.answer is None:
            done(key, route, _DEFECT if landed.ede is None else Failed(landed.ede))
        else:
            self._without_addresses(
                key, route, done, landed.answer, "" if landed.entry is None else landed.entry.server, 0
            )

    def _without_addresses(
        self, key: bytes, route: Route[Server], done: Done, answer: Answer, server: str, age: int
    ) -> None:
        from resolver.message.derive import without_addresses  # noqa: PLC0415 - dnslib, for those who derive answers

        ttl = max(min(answer.facts.positive_ttl, route.zone.max_ttl) - age, 0)
        zone = next(name for name in route.names if key[:-5].endswith(name))
        result: Result
        try:
            derived = without_addresses(key[:-1], zone, min(ttl, route.zone.max_nttl), answer, age)
            result = Finished(derived, Teller(server))
        except BadPacket:
            result = _DEFECT
        done(key, route, result)


class _Completion:
    """One question that may have to be completed."""

    __slots__ = ("_age", "_answer", "_client", "_derived", "_done", "_key", "_result", "_route", "_since", "_steps")

    _key: bytes
    _route: Route[Server]
    _result: Finished
    _answer: Answer

    def __init__(self, derived: Derived, steps: Steps, done: Done, client: str) -> None:
        self._derived = derived
        self._client = client
        self._steps = steps
        self._done: Done | None = done
        self._since = derived.lookups.clock()
        self._age = 0

    def start(self, key: bytes, route: Route[Server]) -> None:
        """Ask as asked."""
        self._key, self._route = key, route
        self._derived.lookups.start(key, route, self._as_asked, self._client)

    def _as_asked(self, key: bytes, route: Route[Server], result: Result) -> None:
        if isinstance(result, Failed) or result.answer.facts.kind is not Kind.NXDOMAIN:
            done, self._done = self._done, None
            if done is not None:
                done(key, route, result)
            return
        self._result = result
        self._derived.lookups.timers.at(self._since + route.zone.timeout_seconds, self._overdue)
        self._go_on(None)

    def _go_on(self, exists: bool | None) -> None:  # noqa: FBT001 - what the generator is sent
        """Take the next step; `exists` answers the one before, None: there was none."""
        if self._done is None:
            return
        try:
            ask = self._steps.send(exists)  # type: ignore[arg-type]  # None begins it
        except StopIteration as end:
            self._end(end.value)
        else:
            self._find(ask)

    def _find(self, ask: Ask) -> None:
        derived = self._derived
        key = ask.name + self._key[-5:]
        route = derived.routes.find(ask.name)
        if route is None:
            self._give_up("failed")
            return
        if ask.as_asked:
            derived.lookups.start(key, route, self._told, self._client)
            return
        known = derived.fresh(key)
        if known is not None:
            self._learn(known[0].answer, known[1])
        elif not derived.join(key, route, Awaited(self._landed, self._client)):
            self._give_up("failed")

    def _told(self, _key: bytes, _route: Route[Server], result: Result) -> None:
        self._learn(None if isinstance(result, Failed) else result.answer)

    def _landed(self, landed: Landed) -> None:
        self._learn(landed.answer)

    def _learn(self, answer: Answer | None, age: int = 0) -> None:
        if answer is None or answer.facts.kind is Kind.FAILURE:
            self._give_up("failed")
            return
        self._answer, self._age = answer, age
        self._go_on(answer.facts.kind is not Kind.NXDOMAIN)

    def _overdue(self, _now: float) -> None:
        self._give_up("failed")

    def _end(self, target: bytes | None) -> None:
        if target is None:
            self._give_up("none")
            return
        from resolver.message.derive import alias  # noqa: PLC0415 - dnslib, for those who complete names

        facts, zone = self._result.answer.facts, self._route.zone
        ttl = min(facts.negative_ttl or 0, zone.max_nttl)
        try:
            answer = alias(self._key[:-1], ttl, target, self._answer, self._age)
        except BadPacket:
            self._give_up("failed")
            return
        self._finish("found", self._result._replace(answer=answer))

    def _give_up(self, how: str) -> None:
        """The name does not exist as asked."""
        if self._done is not None:
            self._finish(how, self._result)

    def _finish(self, how: str, result: Finished) -> None:
        done, self._done = self._done, None
        self._derived.completed[how] += 1
        if done is not None:
            done(self._key, self._route, result)
