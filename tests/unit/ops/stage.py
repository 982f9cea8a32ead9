"""A real Engine whose lookups are answered by the test: nothing leaves the process and time stands still."""

from collections.abc import Callable, Sequence
from typing import Any

from dnslib import QTYPE, RCODE, RR, DNSRecord

from resolver.config import Cache, Upstream, Zone
from resolver.engine import Engine
from resolver.message import codes, names
from resolver.message.answer import read_answer
from resolver.message.ask import write_query
from resolver.message.reply import Ede
from resolver.outcome import Pending, Reply
from resolver.upstream.budget import Budget
from resolver.upstream.exchange import Failed, Finished
from resolver.upstream.lookup import Done
from resolver.upstream.routes import Route, Routes
from resolver.upstream.server import Server, Servers
from resolver.upstream.transport import ChannelState

CLUSTER = Zone(names=("cluster.local", "in-addr.arpa"), upstreams=(Upstream("10.96.0.10"),))
WORLD = Zone(names=(".",), upstreams=(Upstream("192.0.2.1"), Upstream("192.0.2.2")), queries_per_second=900)


def upstreams(zone: Zone) -> list[Upstream]:
    """Those of a zone's upstreams that no file names."""
    return [each for each in zone.upstreams if isinstance(each, Upstream)]


class Channel:
    """Nothing goes through; the numbers are made up."""

    waiting = 3

    def send(self, *_: object) -> Any:
        raise AssertionError("the stage looks nothing up")

    def close(self) -> None:
        """See `transport.Channel`."""

    def snapshot(self) -> ChannelState:
        return ChannelState(connections=2, in_flight=3, opened_total=4, ignored_total=5)


class Timers:
    """Timers that never fire by themselves."""

    def at(self, when: float, callback: Callable[[float], None]) -> None:
        """See `timers.Timers`."""


class Stage:
    """`ask` sends a query through the engine; a miss is answered with what the test has given for the name."""

    def __init__(self, zones: Sequence[Zone] = (CLUSTER, WORLD)) -> None:
        self.now = 1000.0
        self.timers = Timers()
        self.known: dict[str, Sequence[str]] = {}
        """By name: the records of its answer. A name that is missing cannot be looked up."""
        self._landing: Callable[[], None]
        self.servers = Servers(lambda _upstream, _transport, _alone: Channel())
        routes = [
            Route(
                zone,
                [self.servers.get(each, zone.transport) for each in upstreams(zone)],
                Budget(zone.queries_per_second) if zone.queries_per_second else None,
            )
            for zone in zones
        ]
        self.engine = Engine(self, Routes(routes), Cache())  # type: ignore[arg-type]

    def clock(self) -> float:
        """See `lookup.Lookups`."""
        return self.now

    def start(self, key: bytes, route: Route[Server], done: Done, _client: str = "") -> None:
        """See `lookup.Lookups`."""
        name = names.to_text(key[:-5])
        qtype = int.from_bytes(key[-5:-3], "big")
        records = self.known.get(name)
        if records is None:
            self._landing = lambda: done(key, route, Failed(Ede(codes.EDE_NETWORK_ERROR, "no server")))
            return
        reply = DNSRecord.question(name, QTYPE[qtype]).reply()
        if records:
            reply.add_answer(*(record for text in records for record in RR.fromZone(text)))
        else:
            reply.header.rcode = RCODE.NXDOMAIN
            reply.add_auth(*RR.fromZone(". 60 SOA ns. hostmaster. 1 2 3 4 60"))
        answer = read_answer(bytes(reply.pack()), key[:-1])
        server = route.servers[0]
        server.answered(answer.facts.rcode, 0.002, self.now)
        self._landing = lambda: done(key, route, Finished(answer, server))

    def ask(self, name: str, qtype: int = codes.A, *, qclass: int = 1, tcp: bool = False, family: int = 4) -> bytes:
        """The reply to one query, hit or miss."""
        via = self.engine.via(tcp=tcp, family=family)
        question = names.to_wire(name) + qtype.to_bytes(2, "big") + qclass.to_bytes(2, "big")
        packet = b"\0\7" + write_query(question, dnssec_ok=False, checking_disabled=False)
        outcome = self.engine.answer(packet, "10.0.0.7", via, self.now)
        if isinstance(outcome, Reply):
            return outcome.packet
        assert isinstance(outcome, Pending)
        replies: list[bytes] = []
        outcome.respond = replies.append
        self.engine.ask(outcome)
        if not replies:
            self._landing()
        return replies[0]
