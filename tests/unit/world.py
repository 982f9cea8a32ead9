"""The real engine and lookups in a world that a test holds in its hands: a clock that it moves, servers that it plays.

Nothing here waits: `World.go(seconds)` runs what is due in that time, in order, and returns at once. A query that goes
upstream appears in `World.sends`; the test answers it, fails it or leaves it silent.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from ipaddress import ip_network
from itertools import count
from typing import Any, cast

from resolver.config import Cache, Transport, Upstream, Zone
from resolver.engine import Engine
from resolver.message import codes, names
from resolver.message.answer import is_answer_to
from resolver.outcome import Drop, Pending, Via
from resolver.upstream.budget import Budget
from resolver.upstream.lookup import Lookups
from resolver.upstream.routes import Route, Routes
from resolver.upstream.server import Server, Servers
from resolver.upstream.timers import Timers
from resolver.upstream.transport import Attempt, ChannelState, Problem, Ticket

START = 1000.0
CLIENT = "10.1.0.7"


class Handle:
    """What call_later returns."""

    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """As much of an event loop as lookups need, with a clock that only `run_until` moves."""

    def __init__(self) -> None:
        self.now = START
        self._heap: list[tuple[float, int, Handle, Callable[..., None], tuple[object, ...]]] = []
        self._order = count()

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., None], *args: object) -> Handle:
        return self.call_later(0.0, callback, *args)

    def call_later(self, delay: float, callback: Callable[..., None], *args: object) -> Handle:
        handle = Handle()
        heappush(self._heap, (self.now + delay, next(self._order), handle, callback, args))
        return handle

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        raise context["exception"]

    def run_until(self, when: float) -> None:
        """Call everything that is due by then, the clock showing the time it was due."""
        turns = 0
        while self._heap and self._heap[0][0] <= when + 1e-9:
            due, _, handle, callback, args = heappop(self._heap)
            self.now = max(self.now, due)
            turns += 1
            assert turns < 100_000, "the loop does not come to rest"
            if not handle.cancelled:
                callback(*args)
        self.now = max(self.now, when)


class Sent:
    """A query on its way to a server. Implements `transport.Ticket`."""

    def __init__(
        self, loop: Loop, channel: "Channel", query: bytes, question: bytes, attempt: Attempt, avoid: Ticket | None
    ) -> None:
        self.server = str(channel.upstream.address)
        self.channel = channel
        self.transport = channel.transport
        self.query = query
        self.question = question
        self.avoid = avoid
        self.cancelled = self.told_silent = self.over = False
        self.oldest = False
        """What `silent` returns."""
        self.is_quiet = True
        self.ignored = 0
        self._loop = loop
        self._attempt = attempt

    @property
    def flags(self) -> int:
        return int.from_bytes(self.query[:2], "big")

    @property
    def edns(self) -> bool:
        return self.query[9] == 1

    @property
    def dnssec_ok(self) -> bool:
        return self.edns and bool(self.query[-4] & 0x80)

    @property
    def name(self) -> str:
        return names.to_text(self.question[:-4])

    @property
    def qtype(self) -> int:
        return int.from_bytes(self.question[-4:-2], "big")

    def cancel(self) -> None:
        self.cancelled = True

    def silent(self) -> bool:
        self.told_silent = True
        return self.oldest

    def quiet(self) -> bool:
        return self.is_quiet

    def answer(self, packet: bytes) -> None:
        """The server's packet comes in. What matches no question in flight is ignored, as channels do."""
        if not is_answer_to(packet, self.question):
            self.ignored += 1
            return
        self._end(self._attempt.answered, packet)

    def fail(self, problem: Problem) -> None:
        """The try ends without an answer."""
        self._end(self._attempt.failed, problem)

    def _end(self, report: Callable[..., None], what: object) -> None:
        assert not self.over, "a try ends once"
        self.over = True
        if not self.cancelled:
            self._loop.call_soon(report, what)
            self._loop.run_until(self._loop.now)


class Channel:
    """The way to one server. Implements `transport.Channel`."""

    def __init__(self, loop: Loop, sends: list[Sent], upstream: Upstream, transport: Transport) -> None:
        self.upstream = upstream
        self.transport = transport
        self.closed = False
        self.waiting = 0
        self._loop = loop
        self._sends = sends

    def send(self, query: bytes, question: bytes, attempt: Attempt, avoid: Ticket | None = None) -> Sent:
        sent = Sent(self._loop, self, query, question, attempt, avoid)
        self._sends.append(sent)
        return sent

    def close(self) -> None:
        self.closed = True

    def snapshot(self) -> ChannelState:
        return ChannelState(0, 0, 0, 0)


@dataclass
class Asked:
    """A client's query and what it got."""

    packet: bytes
    replies: list[bytes] = field(default_factory=list)
    dropped: bool = False
    from_ready: bool = False

    @property
    def reply(self) -> bytes:
        (reply,) = self.replies
        return reply


def zone(*zone_names: str, servers: Sequence[str] = ("ns1",), **settings: object) -> Zone:
    """A zone whose servers are called as the test likes."""
    plain = Zone(names=zone_names or (".",), upstreams=tuple(Upstream(server) for server in servers))
    return plain._replace(**settings)  # type: ignore[arg-type]


class World:
    """One resolver, its clients, its servers and its time."""

    def __init__(self, *zones: Zone, cache: Cache | None = None, allowed: Sequence[str] = ()) -> None:
        self.loop = Loop()
        self.sends: list[Sent] = []
        self.health_changes: list[tuple[str, bool]] = []
        loop = cast("AbstractEventLoop", self.loop)
        self.timers = Timers(loop, self.loop.time)
        self.lookups = Lookups(loop, self.timers, self._note_health, self.loop.time)
        self.servers = Servers(lambda upstream, transport, _alone: Channel(self.loop, self.sends, upstream, transport))
        self.cache = cache or Cache()
        self.allowed = tuple(ip_network(network) for network in allowed)
        self.engine = Engine(self.lookups, self.routes(*(zones or (zone(),))), self.cache, self.allowed)

    @property
    def now(self) -> float:
        return self.loop.now

    def routes(self, *zones: Zone) -> Routes[Server]:
        """The zones with their servers, the same server for the same name."""
        return Routes(
            [
                Route(
                    each,
                    [self.servers.get(up, each.transport) for up in each.upstreams if isinstance(up, Upstream)],
                    Budget(each.queries_per_second) if each.queries_per_second else None,
                )
                for each in zones
            ]
        )

    def server(self, name: str) -> Server:
        (server,) = (server for server in self.servers if server.upstream.address == name)
        return server

    def go(self, seconds: float) -> None:
        """Let time pass."""
        self.loop.run_until(self.loop.now + seconds)

    def ask(self, packet: bytes, *, tcp: bool = False, client: str = CLIENT) -> Asked:
        """A client's packet, handled as the listeners do it."""
        asked, engine = Asked(packet), self.engine
        via = engine.via(tcp=tcp, family=6 if ":" in client else 4)
        restricted = engine.restricted and not engine.allows(client)
        ready = via.ready.get(packet[2:])
        if ready is not None and (self.now < ready.until or self.engine.renew(ready, self.now)) and not restricted:
            ready.tally[0] += 1
            asked.from_ready = True
            asked.replies.append(packet[:2] + ready.next())
            return asked
        self._handle(asked, client, via, restricted=restricted)
        return asked

    def _handle(self, asked: Asked, client: str, via: Via, *, restricted: bool) -> None:
        engine = self.engine
        if restricted:
            outcome = engine.refuse(asked.packet, client, via)
        else:
            outcome = engine.answer(asked.packet, client, via, self.now)
        if isinstance(outcome, Pending):
            outcome.respond = asked.replies.append
            engine.ask(outcome)
            self.loop.run_until(self.now)
        elif isinstance(outcome, Drop):
            asked.dropped = True
        else:
            asked.replies.append(outcome.packet)

    @property
    def waiting_sends(self) -> list[Sent]:
        """What went upstream and has neither ended nor been given up."""
        return [sent for sent in self.sends if not sent.over and not sent.cancelled]

    def _note_health(self, server: Server) -> None:
        self.health_changes.append((str(server.upstream.address), server.health.down))


def counts(world: World) -> dict[tuple[str, int], int]:
    """Replies so far by (source, rcode)."""
    found: dict[tuple[str, int], int] = {}
    for labels, cell in world.engine.tallies.cells.items():
        place = (labels.source.value, labels.rcode)
        found[place] = found.get(place, 0) + cell[0]
    return found


def rcode_of(reply: bytes) -> int:
    """The lower four bits."""
    return reply[3] & codes.RCODE
