"""What pods ask a resolver that stands in front of real servers: who gets the question, and what comes back.

The cluster's names are served by Unbound here (the tests with CoreDNS are in tests/e2e), the world's by nsd behind
Unbound.
"""

import pytest

from tests.lab.dig import dig
from tests.lab.resolver import Resolver
from tests.lab.scene import Scene, new_name
from tests.lab.servers import Server, Unbound
from tests.lab.topology import LOCAL, LOCAL_V6, NODE_IN_CLUSTER

pytestmark = [
    pytest.mark.needs("netns", "nft", "dig", "unbound", "nsd"),
    pytest.mark.usefixtures("resolver"),
]

BOTH_ADDRESSES = pytest.mark.parametrize("address", [LOCAL, LOCAL_V6])
BOTH_TRANSPORTS = pytest.mark.parametrize("transport", ["+notcp", "+tcp"])


def times_asked(server: Server, name: str) -> int:
    return len(server.asked_for(name))


@BOTH_ADDRESSES
@BOTH_TRANSPORTS
def test_a_service_is_found_on_every_address_and_transport(
    debian: Scene[Unbound], address: str, transport: str
) -> None:
    found = dig(debian.lab.pod, "web.shop.svc.cluster.local", "A", transport, server=address)
    assert (found.status, found.data) == ("NOERROR", {"10.96.12.34"})


@BOTH_TRANSPORTS
def test_an_outside_name_is_found_on_every_transport(debian: Scene[Unbound], transport: str) -> None:
    found = dig(debian.lab.pod, "www.example.com", "AAAA", transport)
    assert (found.status, found.data) == ("NOERROR", {"2001:db8:113::81"})


def test_an_address_is_translated_back_by_the_cluster(debian: Scene[Unbound]) -> None:
    assert dig(debian.lab.pod, "34.12.96.10.in-addr.arpa", "PTR").data == {"web.shop.svc.cluster.local."}


def test_each_name_reaches_the_server_of_its_zone_only(debian: Scene[Unbound]) -> None:
    inside, outside = new_name("svc.cluster.local"), new_name("example.com")
    for name in (inside, outside):
        assert dig(debian.lab.pod, name).status == "NOERROR"
    assert [times_asked(debian.cluster, name) for name in (inside, outside)] == [1, 0]
    assert [times_asked(debian.world, name) for name in (inside, outside)] == [0, 1]


def test_a_client_that_asks_for_it_is_told_how_long_its_connection_may_be_idle(debian: Scene[Unbound]) -> None:
    """RFC 7828: in the reply over TCP, never over UDP."""
    name = "web.shop.svc.cluster.local"
    assert "TCP KEEPALIVE: 10.0 secs" in dig(debian.lab.pod, name, "A", "+tcp", "+keepalive").output
    assert "TCP KEEPALIVE:" not in dig(debian.lab.pod, name, "A", "+notcp", "+keepalive").output


def test_the_cluster_is_asked_over_tcp_only(debian: Scene[Unbound]) -> None:
    for transport in ("+notcp", "+tcp"):
        dig(debian.lab.pod, new_name("svc.cluster.local"), "A", transport)
    asked = [query for query in debian.cluster.queries() if query.client == NODE_IN_CLUSTER]
    assert len(asked) >= 2
    assert debian.cluster.counter("num.query.tcp") == len(asked)


@pytest.mark.parametrize("zone", ["svc.cluster.local", "example.com"])
def test_an_answer_from_memory_goes_to_no_server_and_its_ttl_counts_down(debian: Scene[Unbound], zone: str) -> None:
    name = new_name(zone)
    server = debian.cluster if zone == "svc.cluster.local" else debian.world
    first = dig(debian.lab.pod, name)
    second = dig(debian.lab.pod, name.upper(), "A", "+tcp")
    assert times_asked(server, name) == 1
    assert first.data == second.data
    assert second.answer[0].ttl <= first.answer[0].ttl <= 30
    assert (first.question, second.question) == (name, name.upper())


def test_an_answer_with_ttl_0_is_asked_for_every_time(debian: Scene[Unbound]) -> None:
    before = times_asked(debian.world, "zero.example.com.")
    answers = [dig(debian.lab.pod, "zero.example.com") for _ in range(3)]
    assert [answer.answer[0].ttl for answer in answers] == [0, 0, 0]
    assert times_asked(debian.world, "zero.example.com.") == before + 3


def test_a_missing_name_is_remembered_for_at_most_max_nttl_with_its_soa(debian: Scene[Unbound]) -> None:
    name = "nobody-has-this-name.example.com."
    answers = [dig(debian.lab.pod, name) for _ in range(2)]
    assert [answer.status for answer in answers] == ["NXDOMAIN", "NXDOMAIN"]
    assert all(answer.authority[0].type == "SOA" and answer.authority[0].ttl <= 10 for answer in answers)
    assert times_asked(debian.world, name) == 1


def test_a_missing_type_is_remembered_without_hiding_the_other_types(debian: Scene[Unbound]) -> None:
    answers = [dig(debian.lab.pod, "api.shop.svc.cluster.local", "AAAA") for _ in range(2)]
    assert [(answer.status, answer.answer) for answer in answers] == [("NOERROR", ())] * 2
    assert all(answer.authority[0].type == "SOA" for answer in answers)
    assert times_asked(debian.cluster, "api.shop.svc.cluster.local.") == 1
    assert dig(debian.lab.pod, "api.shop.svc.cluster.local").data == {"10.96.12.35"}


def test_a_chain_of_aliases_comes_whole(debian: Scene[Unbound]) -> None:
    found = dig(debian.lab.pod, "alias.example.com")
    assert [(record.name, record.type) for record in found.answer] == [
        ("alias.example.com.", "CNAME"), ("alias2.example.com.", "CNAME"), ("www.example.com.", "A"),
    ]  # fmt: skip


def test_an_answer_too_large_for_udp_is_cut_to_nothing_and_whole_over_tcp(debian: Scene[Unbound]) -> None:
    for size in ("+noedns", "+bufsize=1232", "+bufsize=4096"):
        cut = dig(debian.lab.pod, "big.example.com", "TXT", "+ignore", size)
        assert (cut.status, "tc" in cut.flags, cut.answer) == ("NOERROR", True, ())
    whole = dig(debian.lab.pod, "big.example.com", "TXT")
    assert (whole.transport, "tc" in whole.flags, len(whole.answer)) == ("tcp", False, 10)


def test_addresses_of_one_name_come_in_turns(debian: Scene[Unbound]) -> None:
    answers = [dig(debian.lab.pod, "many.example.com") for _ in range(8)]
    assert {len(answer.data) for answer in answers} == {4}
    assert len({answer.answer[0].data for answer in answers}) > 1


def test_a_type_nobody_knows_by_name_passes_through(debian: Scene[Unbound]) -> None:
    found = dig(debian.lab.pod, "www.example.com", "TYPE65")
    assert [record.type for record in found.answer] == ["HTTPS"]


def test_sigterm_ends_the_process_with_status_0(debian: Scene[Unbound], resolver: Resolver) -> None:
    assert resolver.stop() == 0
    resolver.start()
    assert dig(debian.lab.pod, "www.example.com").status == "NOERROR"
