"""What the demo's imagined cluster and outside world answer, without a socket."""

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from resolver.demo.zones import CLUSTER_ZONES, OUTSIDE_ZONES, Zones

_CLUSTER = Zones(CLUSTER_ZONES)
_OUTSIDE = Zones(OUTSIDE_ZONES)


def _ask(zones: Zones, name: str, kind: str) -> DNSRecord:
    return DNSRecord.parse(bytes(zones.answer(DNSRecord.question(name, kind)).pack()))


def _data(reply: DNSRecord) -> list[tuple[str, str]]:
    return [(QTYPE[record.rtype], str(record.rdata)) for record in reply.rr]


def test_a_service_has_its_cluster_address_for_five_seconds() -> None:
    reply = _ask(_CLUSTER, "web.shop.svc.cluster.local", "A")
    assert (reply.header.rcode, reply.header.aa) == (RCODE.NOERROR, 1)
    assert _data(reply) == [("A", "10.96.12.10")]
    assert reply.rr[0].ttl == 5


def test_a_headless_service_has_the_addresses_of_its_pods() -> None:
    reply = _ask(_CLUSTER, "db.shop.svc.cluster.local", "A")
    assert sorted(_data(reply)) == [("A", "10.244.1.21"), ("A", "10.244.2.22"), ("A", "10.244.3.23")]


def test_an_unknown_name_is_nxdomain_with_the_soa_of_its_zone() -> None:
    reply = _ask(_CLUSTER, "web.shop.shop.svc.cluster.local", "A")
    assert (reply.header.rcode, _data(reply)) == (RCODE.NXDOMAIN, [])
    [soa] = reply.auth
    assert (str(soa.rname), QTYPE[soa.rtype], soa.ttl, soa.rdata.times[4]) == ("cluster.local.", "SOA", 5, 5)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("web.shop.svc.cluster.local", "AAAA"), ("svc.cluster.local", "A"), ("_tcp.db.shop.svc.cluster.local", "SRV")],
)
def test_a_name_without_the_type_or_with_names_below_is_nodata_with_soa(name: str, kind: str) -> None:
    reply = _ask(_CLUSTER, name, kind)
    assert (reply.header.rcode, _data(reply)) == (RCODE.NOERROR, [])
    assert [str(record.rname) for record in reply.auth] == ["cluster.local."]


def test_a_service_address_leads_back_to_its_name() -> None:
    assert _data(_ask(_CLUSTER, "10.12.96.10.in-addr.arpa", "PTR")) == [("PTR", "web.shop.svc.cluster.local.")]


def test_srv_names_the_pods_and_brings_their_addresses_along() -> None:
    reply = _ask(_CLUSTER, "_pg._tcp.db.shop.svc.cluster.local", "SRV")
    targets = [(record.rdata.port, str(record.rdata.target)) for record in reply.rr]
    assert targets == [(5432, f"db-{number}.db.shop.svc.cluster.local.") for number in range(3)]
    assert [str(record.rdata) for record in reply.ar] == ["10.244.1.21", "10.244.2.22", "10.244.3.23"]


def test_a_chain_of_aliases_comes_whole() -> None:
    assert _data(_ask(_OUTSIDE, "www.example.com", "AAAA")) == [
        ("CNAME", "www.example.com.edge.example.net."),
        ("CNAME", "near.edge.example.net."),
        ("AAAA", "2001:db8:20::7"),
    ]


def test_a_chain_without_the_type_ends_in_nodata_of_the_last_zone() -> None:
    reply = _ask(_OUTSIDE, "www.example.com", "TXT")
    assert [kind for kind, _ in _data(reply)] == ["CNAME", "CNAME"]
    assert (reply.header.rcode, str(reply.auth[0].rname)) == (RCODE.NOERROR, "example.net.")


def test_the_alias_itself_can_be_asked_for() -> None:
    assert _data(_ask(_OUTSIDE, "www.example.com", "CNAME")) == [("CNAME", "www.example.com.edge.example.net.")]


def test_names_are_found_in_any_case_and_come_back_as_spelled() -> None:
    reply = _ask(_CLUSTER, "Web.Shop.SVC.cluster.local", "A")
    assert str(reply.q.qname) == "Web.Shop.SVC.cluster.local."
    assert _data(reply) == [("A", "10.96.12.10")]


def test_a_name_outside_the_zones_is_refused() -> None:
    reply = _ask(_CLUSTER, "example.com", "A")
    assert (reply.header.rcode, reply.header.aa) == (RCODE.REFUSED, 0)


def test_every_outside_address_is_one_for_documentation() -> None:
    for name, kind in (("example.com", "A"), ("mail.example.com", "A"), ("api.partner.example", "A")):
        [(_, address)] = _data(_ask(_OUTSIDE, name, kind))
        assert address.startswith(("192.0.2.", "198.51.100.", "203.0.113."))
