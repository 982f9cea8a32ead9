"""Servers are shared by zones, open a TCP way only when they need one, and are closed when nobody names them."""

from resolver.config import Transport, Upstream
from resolver.upstream.server import Server, Servers
from resolver.upstream.suspects import WATCH_SECONDS
from tests.unit.builders import question_wire
from tests.unit.world import Channel, Loop

NOW = 100.0
ONE, TWO = Upstream("10.0.0.1"), Upstream("fd00::2", 5353)


class Wire:
    """Opens channels and keeps them for the test to look at."""

    def __init__(self) -> None:
        self.opened: list[Channel] = []
        self.alone: list[Channel] = []
        """Those in which each question is to have a connection of its own."""

    def __call__(self, upstream: Upstream, transport: Transport, alone: bool) -> Channel:
        channel = Channel(Loop(), [], upstream, transport)
        self.opened.append(channel)
        self.alone += [channel] * alone
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


def test_reverse_names_are_asked_on_connections_of_their_own() -> None:
    """CoreDNS answers the questions of one connection in turn, and forwards reverse names that are not its own."""
    for transport in (Transport.TCP, Transport.TLS):
        wire = Wire()
        server = Server(ONE, transport, wire)
        service, reverse = question_wire("web.shop.svc.cluster.local"), question_wire("1.2.0.192.in-addr.arpa", "PTR")
        assert server.channel_for(service, NOW) is server.channel
        assert len(wire.opened) == 1, "until there is a reverse name"
        assert server.channel_for(reverse, NOW) is server.channel_for(
            question_wire("2.2.0.192.in-addr.arpa", "PTR"), NOW
        )
        assert server.channel_for(reverse, NOW) is not server.channel
        assert server.channel_for(question_wire("notarpa.shop"), NOW) is server.channel
        assert server.channels == tuple(wire.opened)
        assert len(wire.opened) == 2
        server.close()
        assert all(channel.closed for channel in wire.opened)


def test_names_of_the_default_zone_do_not_share_connections_with_those_of_other_zones() -> None:
    service, outside = question_wire("web.shop.svc.cluster.local"), question_wire("www.example.com")
    for transport in (Transport.TCP, Transport.TLS):
        wire = Wire()
        server = Server(ONE, transport, wire)
        assert server.channel_for(outside, NOW, default=True) is server.channel
        assert len(wire.opened) == 1, "a server of the default zone alone has one way"
        assert server.channel_for(service, NOW) is server.channel_for(question_wire("www.corp.example"), NOW)
        assert server.channel_for(service, NOW) is not server.channel
        reverse = server.channel_for(question_wire("1.2.0.192.in-addr.arpa", "PTR"), NOW, default=True)
        assert server.channels == tuple(wire.opened) == (server.channel, server.channel_for(service, NOW), reverse)


def test_names_that_hold_up_others_go_aside_and_those_that_might_alone() -> None:
    wire = Wire()
    server = Server(ONE, Transport.TCP, wire)
    dark, sister = question_wire("db.dark.example"), question_wire("web.dark.example", "AAAA")
    known, new = question_wire("web.shop.svc.cluster.local"), question_wire("www.other.example")
    reverse = question_wire("1.2.0.192.in-addr.arpa", "PTR")
    usual = server.channel_for(dark, NOW)
    server.suspects.held_up(dark, NOW)
    aside = server.channel_for(sister, NOW)
    assert aside is server.channel_for(dark, NOW) is not usual
    alone = server.channel_for(new, NOW)
    assert alone is server.channel_for(known, NOW) is server.channel_for(reverse, NOW) is not usual
    assert wire.alone == [aside, alone]
    server.suspects.answered(known)
    assert server.channel_for(known, NOW) is usual
    assert server.channels == tuple(wire.opened) == (usual, aside, alone)
    assert server.channel_for(new, NOW + WATCH_SECONDS) is usual, "when nothing of the kind was seen for long"


def test_over_udp_no_name_goes_aside() -> None:
    server = Server(ONE, Transport.UDP, Wire())
    server.suspects.held_up(question_wire("1.2.0.192.in-addr.arpa", "PTR"), NOW)
    assert server.channel_for(question_wire("1.2.0.192.in-addr.arpa", "PTR"), NOW) is server.channel


def test_over_udp_nothing_waits_for_anything_and_reverse_names_go_with_the_others() -> None:
    wire = Wire()
    server = Server(ONE, Transport.UDP, wire)
    reverse = question_wire("1.2.0.192.in-addr.arpa", "PTR")
    assert server.channel_for(reverse, NOW) is server.channel
    assert server.channel_for(question_wire("www.example.com"), NOW, default=True) is server.channel
    assert server.channel_for(reverse, NOW, over_tcp=True) is server.tcp_channel


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
