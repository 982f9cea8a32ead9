"""One query in, one outcome out: a Reply to send now, a Pending question to look up, or nothing.

The engine knows the cache, the zones and the lookups, and no sockets: listeners hand it packets and send what comes
back. `answer` is the synchronous half (every hit ends there), `ask` starts or joins a lookup for what it left pending.
"""

from typing import TYPE_CHECKING

from resolver.admission import Admission
from resolver.cache.entry import Entry
from resolver.cache.failures import Failure, Failures
from resolver.cache.packets import NEVER, Budget, Ready, ready_reply
from resolver.cache.store import Store
from resolver.config import Cache
from resolver.derived import Derived
from resolver.freshness import Freshness
from resolver.message import codes
from resolver.message.answer import Kind
from resolver.message.canonical import QUESTION_AT, canonical, respelled
from resolver.message.query import BadPacket, Query, read_query
from resolver.message.reply import STALE_TTL, Ede, counts_down, room, rotations, write_failure, write_reply
from resolver.outcome import DEFECT, Awaited, Landed, Observer, Outcome, Pending, Reply, Source, Via
from resolver.rejections import NO_DATA_TYPES, Rejections
from resolver.tally import Tallies
from resolver.upstream.exchange import Failed
from resolver.upstream.inflight import Flights
from resolver.upstream.lookup import Lookups, Result
from resolver.upstream.routes import Route, Routes
from resolver.upstream.server import Server

if TYPE_CHECKING:
    from resolver.admission import Clients

_READY_SHARE = 0.4  # of cache.size, for ready replies; the rest is for the answers they are made from
_TOO_MANY = Ede(codes.EDE_OTHER, "too many lookups in flight")
_STOPPING = Ede(codes.EDE_NOT_READY, "shutting down")
_STALE = Ede(codes.EDE_STALE_ANSWER)


class Engine:
    """See the module. Settings may change while it runs (`reconfigure`)."""

    def __init__(self, lookups: Lookups, routes: Routes[Server], cache: Cache, allowed: "Clients" = ()) -> None:
        self.clock = lookups.clock
        self._lookups = lookups
        self.flights: Flights[Pending | Awaited, Landed] = Flights(
            lookups, self._land, self._deliver, DEFECT, _client_of
        )
        self.store = Store(0)
        self.derived = Derived(lookups, self.store.peek, self.flights.join)
        self.failures = Failures()
        self.ready = Budget(0)
        self.freshness = Freshness(self.store, self.ready)
        self.vias: dict[tuple[bool, int], Via] = {}
        self.tallies = Tallies()
        self._rejections = Rejections(self.tallies)
        self.observer: Observer | None = None
        self.reconfigure(routes, cache, allowed)

    def reconfigure(self, routes: Routes[Server], cache: Cache, allowed: "Clients") -> None:
        """Take over new settings; the answers that are remembered stay, the failures were those of other servers."""
        self.routes = routes
        self.flights.start = self.derived.start if self.derived.reconfigure(routes) else self._lookups.start
        self._cache = cache
        self._admission = Admission(allowed)
        self.restricted = bool(allowed)
        self.ready.max_bytes = int(cache.size_bytes * _READY_SHARE)
        self.store.resize(cache.size_bytes - self.ready.max_bytes)
        self.ready.clear()
        self.failures.clear()

    def observe(self, observer: Observer | None) -> None:
        """Switch the query log on or off. While it is on there are no ready replies: each query is seen."""
        self.observer = self._rejections.observer = observer
        self.ready.clear()

    def via(self, *, tcp: bool, family: int) -> Via:
        """The way in for one transport and address family (4 or 6)."""
        via = self.vias.get((tcp, family))
        if via is None:
            via = self.vias[tcp, family] = Via(
                tcp=tcp, family=family, ready=self.ready.table(codes.TCP_BYTES if tcp else codes.EDNS_UDP_BYTES)
            )
        return via

    def allows(self, client: str) -> bool:
        """Whether `listen.allowedClients` admits this IP address."""
        return self._admission.allows(client)

    def answer(self, packet: bytes, client: str, via: Via, now: float) -> Outcome:
        """What to do about a client's packet, whatever it holds. `now` is monotonic seconds."""
        form = canonical(packet[2:])
        ready = None if form is None or form == packet[2:] else via.ready.get(form)
        if ready is not None and (now < ready.until or self.renew(ready, now)):
            ready.tally[0] += 1
            self.spent(1, self.clock() - now)
            return Reply(respelled(ready.next(), packet, len(ready.form) - QUESTION_AT))
        try:
            query = read_query(packet)
        except BadPacket as rejection:
            return self._rejections.of_packet(packet, rejection, client, via)
        if query.qclass != codes.CLASS_IN or query.qtype in NO_DATA_TYPES:
            return self._rejections.of_kind(query, client, via)
        entry = self.store.get(query.key, now)
        if entry is not None and entry.is_fresh(now):
            return Reply(self._hit(form, query, entry, client, via, now))
        route = self.routes.find(query.name)
        if route is None:
            return self._rejections.without_zone(query, client, via)
        pending = Pending(query, client, via, route, entry, now)
        failure = self._known_failure(query.key, route, now)
        if failure is not None:
            return Reply(self._write_failed(pending, failure.ede))
        return pending

    def renew(self, ready: Ready, now: float) -> bool:
        """Count down the TTLs of a ready reply whose second is over; False: it has to be made anew from the store."""
        entry = self.store.peek_form(ready.form)
        if entry is None or entry.stored_at != ready.stored_at:
            return False
        age = int(now - entry.stored_at)
        if age >= entry.ttl:
            return False
        entry.use()
        if entry.is_due(now) and self._cache.prefetch:
            return False  # the normal path refreshes what is due ahead of time
        ready.count_down(entry, age)
        return True

    def refuse(self, packet: bytes, client: str, via: Via) -> Outcome:
        """The outcome for a client that `allows` does not admit."""
        return self._rejections.of_client(packet, client, via)

    def turn_away(self, pending: Pending) -> bytes:
        """The reply to a pending question when there is no time left for a lookup: a stale answer, or SERVFAIL."""
        return self._write_failed(pending, _STOPPING)

    def ask(self, pending: Pending) -> None:
        """Have a pending question looked up; its `respond` is called once with the reply, now or later."""
        budget = pending.route.budget
        if budget is not None and pending.stale is not None and budget.is_short(self.clock()):
            # What can be sent is for those who have nothing yet; this one's question is asked when there is room.
            budget.stale_total += 1
            pending.answer(self._write_stale(pending, pending.stale))
            self.flights.join(pending.query.key, pending.route, None)
        elif not self.flights.join(pending.query.key, pending.route, pending):
            pending.answer(self._write_failed(pending, _TOO_MANY))
        elif pending.stale is not None:
            when = pending.since + self._cache.stale_after_seconds
            self._lookups.timers.at(when, lambda _now: self._serve_stale(pending))

    def spent(self, hits: int, seconds: float) -> None:
        """A listener has sent so many ready replies, each within `seconds` of reading its query."""
        self.tallies.hit_durations.add(seconds, hits)

    def flush(self, name: bytes, *, below: bool = False) -> int:
        """Forget the answers for a name (wire form, lower case; with `below` for all under it); how many there were."""
        self.failures.clear()
        self.ready.clear()
        return self.store.remove_under(name) if below else self.store.remove_name(name)

    def flush_all(self) -> int:
        """Forget everything; how many answers there were."""
        self.failures.clear()
        self.ready.clear()
        return self.store.clear()

    def _deliver(self, pending: Pending | Awaited, landed: Landed) -> None:
        """The flight that a client (or another question) waits for is home."""
        if isinstance(pending, Awaited):
            pending.landed(landed)
            return
        if pending.respond is None:
            return
        try:
            reply = self._write_landed(pending, landed)
        except Exception:
            # Whoever waits gets a reply even if writing it has failed; the listener keeps a place for it until then.
            pending.answer(write_failure(pending.query, codes.SERVFAIL))
            raise
        pending.answer(reply)

    def _serve_stale(self, pending: Pending) -> None:
        """The client has waited for a fresh answer long enough (RFC 8767 section 5)."""
        if pending.respond is None or pending.stale is None:
            return
        try:
            reply = self._write_stale(pending, pending.stale)
        except Exception:
            pending.answer(write_failure(pending.query, codes.SERVFAIL))
            raise
        pending.answer(reply)

    def _write_landed(self, pending: Pending, landed: Landed) -> bytes:
        """The reply to a query whose flight has landed."""
        if landed.answer is None:
            return self._write_failed(pending, landed.ede)
        query, via, route = pending.query, pending.via, pending.route
        turn = landed.entry.next_turn() if landed.entry is not None else 0
        reply = write_reply(
            query, landed.answer, room_bytes=room(query, tcp=via.tcp), cap=_cap(landed, route), turn=turn,
            keepalive_seconds=via.keepalive_seconds,
        )  # fmt: skip
        self._count(pending, reply, Source.UPSTREAM, landed.answer.facts.kind)
        return reply

    def _write_stale(self, pending: Pending, entry: Entry) -> bytes:
        """A reply from an expired answer (RFC 8767 section 4)."""
        query, via, answer = pending.query, pending.via, entry.answer
        reply = write_reply(
            query, answer, room_bytes=room(query, tcp=via.tcp), cap=min(STALE_TTL, entry.cap), turn=entry.next_turn(),
            ede=_STALE, keepalive_seconds=via.keepalive_seconds,
        )  # fmt: skip
        self._count(pending, reply, Source.STALE, answer.facts.kind)
        return reply

    def _hit(self, form: bytes | None, query: Query, entry: Entry, client: str, via: Via, now: float) -> bytes:
        """Reply from a fresh entry, and leave the reply ready for the rest of this second."""
        answer, age = entry.answer, entry.age(now)
        facts = answer.facts
        reply = write_reply(
            query, answer, room_bytes=room(query, tcp=via.tcp), cap=entry.cap, age=age,
            keepalive_seconds=via.keepalive_seconds,
        )  # fmt: skip
        tally = self.tallies.cell(entry.label, via, query.qtype, facts.rcode, Source.HIT, facts.kind)
        replies: tuple[bytes, ...] = (reply,)
        if facts.rotation is not None:
            replies = rotations(reply, query, facts.rotation, entry.next_turn())
            reply = replies[-1]  # the ready replies begin with the first
        if self.observer is None:
            self._keep_ready(form, query, entry, replies, via, tally, age)
        else:
            self.observer(query, reply, client, via, Source.HIT, self.clock() - now)
        tally[0] += 1
        if self._cache.prefetch and entry.is_due(now):
            self._prefetch(query, entry, now)
        return reply

    def _keep_ready(
        self, form: bytes | None, query: Query, entry: Entry, replies: tuple[bytes, ...], via: Via, tally: list[int],
        age: int,
    ) -> None:  # fmt: skip
        """Leave the reply ready for all who ask the same, however they spell it: `form` is the canonical one."""
        if form is None:
            return
        if query.question != query.key[:-1]:
            replies = tuple(respelled(each[2:], query.id + form, len(query.question)) for each in replies)
        stored_at = entry.stored_at if counts_down(replies[0], query, entry.facts) else NEVER
        tails = tuple(each[2:] for each in replies)
        if form == entry.form:
            form = entry.form  # the same object, nearly always
        via.ready.put(form, ready_reply(tails, entry.stored_at + age + 1, tally, entry.form, stored_at))

    def _prefetch(self, query: Query, entry: Entry, now: float) -> None:
        route = self.routes.find(query.name)
        if route is None or (route.budget is not None and route.budget.is_short(now)):
            return
        if self._known_failure(query.key, route, now) is None:
            entry.asks = 0  # once is enough
            self.tallies.prefetches_total += self.flights.join(query.key, route, None)

    def _known_failure(self, key: bytes, route: Route[Server], now: float) -> Failure | None:
        if key not in self.failures:
            return None
        return self.failures.get(key, route.recoveries(), now)

    def _land(self, key: bytes, route: Route[Server], result: Result) -> Landed:
        """Remember what a lookup found."""
        now = self.clock()
        if isinstance(result, Failed):
            # Not where a change of settings has sent the question elsewhere.
            if result.telling and route is self.routes.find(key[:-5]):
                self.failures.put(key, result.ede, route.recoveries(), now)
            return Landed(None, None, result.ede)
        if key in self.failures:
            self.failures.forget(key)
        zone = self.freshness.zone_for(key[:-5], route.zone, now) if self.freshness.pending else route.zone
        entry = self.store.put(key, result.answer, zone, route.label, result.server.name, now)
        return Landed(result.answer, entry, None)

    def _write_failed(self, pending: Pending, ede: Ede | None) -> bytes:
        """What to say when there is no fresh answer: a stale one if there is one, otherwise SERVFAIL and the reason."""
        if pending.stale is not None:
            return self._write_stale(pending, pending.stale)
        keepalive = pending.via.keepalive_seconds
        reply = write_failure(pending.query, codes.SERVFAIL, ede, keepalive_seconds=keepalive)
        self._count(pending, reply, Source.FAILURE, "failure")
        return reply

    def _count(self, pending: Pending, reply: bytes, source: Source, kind: str) -> None:
        query, via = pending.query, pending.via
        seconds = self.clock() - pending.since
        self.tallies.cell(pending.route.label, via, query.qtype, reply[3] & codes.RCODE, source, kind)[0] += 1
        self.tallies.took(pending.route.label, seconds)
        if self.observer is not None:
            self.observer(query, reply, pending.client, via, source, seconds)


def _cap(landed: Landed, route: Route[Server]) -> int:
    """The TTL bound for the reply to a fresh answer: its entry's, or the zone's where it is not remembered."""
    if landed.entry is not None:
        return landed.entry.cap
    if landed.answer is None or landed.answer.facts.kind is Kind.POSITIVE:
        return route.zone.max_ttl
    return min(route.zone.max_nttl, landed.answer.facts.negative_ttl or 0)


def _client_of(pending: Pending | Awaited) -> str:
    return pending.client
