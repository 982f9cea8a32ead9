"""The demo's servers on real sockets: UDP, TCP, forwarding, and the notes they take."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from dnslib import EDNS0, QTYPE, RCODE, DNSRecord

from resolver.demo.server import Arrival, Server
from resolver.demo.wire import Address, ask
from resolver.demo.zones import CLUSTER_ZONES, OUTSIDE_ZONES, Zones

_PATIENCE_SECONDS = 25
_CROWD = "".join(f"crowd.example. 5 A 192.0.2.{number}\n" for number in range(1, 61))


@pytest.fixture(autouse=True)
def patient_forwarder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is given up, however busy the machine is."""
    monkeypatch.setattr("resolver.demo.server._FORWARD_SECONDS", 20.0)


@asynccontextmanager
async def _opened(*servers: Server) -> AsyncIterator[None]:
    for server in servers:
        await server.open()
    try:
        yield
    finally:
        for server in servers:
            await server.close()


def _run(play: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await play()

    asyncio.run(bounded())


async def _udp(server: Address, query: DNSRecord) -> DNSRecord:
    [packet] = (await ask(server, [bytes(query.pack())], _PATIENCE_SECONDS)).packets
    assert packet is not None
    return DNSRecord.parse(packet)


def _framed(query: DNSRecord) -> bytes:
    packet = bytes(query.pack())
    return len(packet).to_bytes(2) + packet


async def _read_framed(reader: asyncio.StreamReader) -> DNSRecord:
    return DNSRecord.parse(await reader.readexactly(int.from_bytes(await reader.readexactly(2))))


def test_udp_and_tcp_answer_on_one_port() -> None:
    async def play() -> None:
        server = Server(Zones(CLUSTER_ZONES), [0.0])
        async with _opened(server):
            query = DNSRecord.question("web.shop.svc.cluster.local", "A")
            assert str((await _udp(server.address, query)).short()) == "10.96.12.10"
            reader, writer = await asyncio.open_connection(*server.address)
            writer.write(_framed(query))
            assert str((await _read_framed(reader)).short()) == "10.96.12.10"
            writer.close()

    _run(play)


def test_one_tcp_connection_carries_many_queries_and_a_slow_answer_holds_nobody_up() -> None:
    async def play() -> None:
        server = Server(Zones(CLUSTER_ZONES), [0.2, 0.0])
        async with _opened(server):
            reader, writer = await asyncio.open_connection(*server.address)
            names = ["web.shop.svc.cluster.local.", "pay.shop.svc.cluster.local."]
            writer.write(b"".join(_framed(DNSRecord.question(name, "A")) for name in names))
            answered = [str((await _read_framed(reader)).q.qname) for _ in names]
            assert answered == list(reversed(names))
            writer.close()

    _run(play)


def test_every_query_is_noted_with_name_type_and_transport() -> None:
    async def play() -> None:
        server = Server(Zones(CLUSTER_ZONES), [0.0])
        async with _opened(server):
            await _udp(server.address, DNSRecord.question("WEB.shop.svc.cluster.local", "AAAA"))
            reader, writer = await asyncio.open_connection(*server.address)
            writer.write(_framed(DNSRecord.question("nope.cluster.local", "A")))
            await _read_framed(reader)
            writer.close()
            assert server.take_arrivals() == [
                Arrival("web.shop.svc.cluster.local.", "AAAA", "UDP"),
                Arrival("nope.cluster.local.", "A", "TCP"),
            ]
            assert server.take_arrivals() == []

    _run(play)


def test_an_answer_that_does_not_fit_is_truncated_over_udp_and_whole_over_tcp() -> None:
    async def play() -> None:
        server = Server(Zones("$TTL 5\n. SOA ns.example. hostmaster.example. 1 2 3 4 5\n" + _CROWD), [0.0])
        async with _opened(server):
            query = DNSRecord.question("crowd.example", "A")
            short = await _udp(server.address, query)
            assert (short.header.tc, short.rr, str(short.q.qname)) == (1, [], "crowd.example.")
            reader, writer = await asyncio.open_connection(*server.address)
            writer.write(_framed(query))
            assert len((await _read_framed(reader)).rr) == 60
            writer.close()
            query.add_ar(EDNS0(udp_len=1232))
            roomy = await _udp(server.address, query)
            assert (roomy.header.tc, len(roomy.rr), QTYPE[roomy.ar[0].rtype]) == (0, 60, "OPT")

    _run(play)


def test_names_outside_the_cluster_are_forwarded_once_and_then_remembered() -> None:
    async def play() -> None:
        outside = Server(Zones(OUTSIDE_ZONES), [0.0])
        async with _opened(outside):
            cluster = Server(Zones(CLUSTER_ZONES), [0.0], forward_to=outside.address)
            async with _opened(cluster):
                query = DNSRecord.question("api.partner.example", "A")
                for _ in range(2):
                    reply = await _udp(cluster.address, query)
                    assert (reply.header.id, str(reply.short())) == (query.header.id, "192.0.2.80")
                absent = await _udp(cluster.address, DNSRecord.question("gone.shop", "A"))
                assert (absent.header.rcode, str(absent.auth[0].rname)) == (RCODE.NXDOMAIN, ".")
            seen = [arrival.name for arrival in outside.take_arrivals()]
            assert seen == ["api.partner.example.", "gone.shop."]

    _run(play)


def test_a_forwarder_whose_outside_is_gone_says_servfail() -> None:
    async def play() -> None:
        outside = Server(Zones(OUTSIDE_ZONES), [0.0])
        async with _opened(outside):
            pass
        cluster = Server(Zones(CLUSTER_ZONES), [0.0], forward_to=outside.address)
        async with _opened(cluster):
            reply = await _udp(cluster.address, DNSRecord.question("example.com", "A"))
            assert reply.header.rcode == RCODE.SERVFAIL

    _run(play)


def test_what_is_no_query_gets_no_answer_and_harms_nobody() -> None:
    async def play() -> None:
        server = Server(Zones(CLUSTER_ZONES), [0.0])
        async with _opened(server):
            query = DNSRecord.question("web.shop.svc.cluster.local", "A")
            noise = [b"", b"x", b"\x00\x01" + b"\xff" * 40, bytes(query.reply().pack())]
            await ask(server.address, noise, 0)
            assert str((await _udp(server.address, query)).short()) == "10.96.12.10"
            assert len(server.take_arrivals()) == 1

    _run(play)
