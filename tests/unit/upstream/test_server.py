"""Servers are shared by zones, open a TCP way only when they need one, and are closed when nobody names them."""

from resolver.config import Transport, Upstream
from resolver.upstream.server import Server, Servers
from tests.unit.world import Channel, Loop

ONE, TWO = Upstream("10.0.0.1"), Upstream("fd00::2", 5353)


class Wire:
    """Opens channels and keeps them for the test to look at."""

    def __init__(self) -> None:
        self.opened: list[Channel] = []

    def __call__(self, upstream: Upstream, transport: Transport) -> Channel:
        channel = Channel(Loop(), [], upstream, transport)
        self.opened.append(channel)
        return channel


def test_zones_that_name_the_same_upstream_share_its_server() -> None:
    servers = Servers(Wire())
    assert servers.get(ONE, Transport.TCP) is servers.get(Upstream("10.0.0.1"), Transport.TCP)
    assert servers.get(ONE, Transport.TCP) is not servers.get(ONE, Transport.UDP)
    assert len(list(servers)) == 2


def test_a_server_is_called_by_its_address() -> None:
    assert [str(Server(upstream, Transport.TCP, Wire())) for upstream in (ONE, TWO)] == [
        "10.0.0.1:53",
        "[fd00::2]:5353",
    ]


def test_a_udp_server_opens_its_tcp_way_when_it_is_needed_and_once() -> None:
    wire = Wire()
    server = Server(ONE, Transport.UDP, wire)
    assert [channel.transport for channel in wire.opened] == [Transport.UDP]
    assert server.tcp_channel is server.tcp_channel
    assert [channel.transport for channel in wire.opened] == [Transport.UDP, Transport.TCP]
    assert server.channels == tuple(wire.opened)


def test_a_tcp_server_needs_no_second_way() -> None:
    for transport in (Transport.TCP, Transport.TLS):
        server = Server(ONE, transport, Wire())
        assert server.tcp_channel is server.channel
        assert server.channels == (server.channel,)


def test_servers_that_no_zone_names_are_closed_with_all_their_ways() -> None:
    wire = Wire()
    servers = Servers(wire)
    kept, gone = servers.get(ONE, Transport.TCP), servers.get(TWO, Transport.UDP)
    assert gone.tcp_channel in wire.opened
    servers.keep_only([kept])
    assert [channel.closed for channel in wire.opened] == [False, True, True]
    assert list(servers) == [kept]
    assert servers.get(TWO, Transport.UDP) is not gone


def test_answers_are_counted_by_rcode() -> None:
    server = Server(ONE, Transport.TCP, Wire())
    for rcode in (0, 0, 3):
        server.answered(rcode, 0.001, 0.0)
    assert {rcode: sum(histogram.counts) for rcode, histogram in server.durations.items()} == {0: 2, 3: 1}
