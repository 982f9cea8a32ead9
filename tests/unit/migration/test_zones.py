"""Blocks to zones: names that fare alike share an entry, and the longest name wins as in CoreDNS."""

from typing import Any

import pytest

from resolver.migration import Grade, MigrationError
from resolver.migration.names import read_key, reverse_zones
from tests.unit.migration.conversions import converted, document_of, grades, told, zone_of

BIND = "bind 169.254.20.10"


def zones_of(text: str) -> dict[str, tuple[Any, ...]]:
    """By name: upstreams, maxTTL, maxNTTL."""
    return {
        name: (*zone["upstreams"], zone["maxTTL"], zone["maxNTTL"])
        for zone in document_of(text)["zones"]
        for name in zone["names"]
    }


def test_blocks_that_are_alike_become_one_zone_that_names_both_origins() -> None:
    one = "{} {{\n bind 169.254.20.10\n forward . 192.0.2.1\n cache 30\n}}\n"
    text = one.format("in-addr.arpa:53") + one.format("ip6.arpa") + one.format(".")
    assert [zone["names"] for zone in document_of(text)["zones"]] == [["in-addr.arpa", "ip6.arpa", "."]]
    written = converted(text).text
    for origin in ("Corefile:1: in-addr.arpa:53", "Corefile:6: ip6.arpa", "Corefile:11: ."):
        assert f"  # {origin}\n" in written


def test_several_zones_of_one_block_stay_together() -> None:
    text = f"Example.ORG., corp.example:53 {{\n {BIND}\n forward . 192.0.2.1\n}}"
    assert document_of(text)["zones"][0]["names"] == ["example.org", "corp.example"]


@pytest.mark.parametrize(
    ("network", "zones"),
    [
        ("10.0.0.0/8", ["10.in-addr.arpa"]),
        ("10.1.2.0/24", ["2.1.10.in-addr.arpa"]),
        ("10.1.2.3/32", ["3.2.1.10.in-addr.arpa"]),
        ("172.16.0.0/15", ["16.172.in-addr.arpa", "17.172.in-addr.arpa"]),
        ("10.9.8.7/8", ["10.in-addr.arpa"]),
        ("fd00::/8", ["d.f.ip6.arpa"]),
        ("2001:db8::/31", ["8.b.d.0.1.0.0.2.ip6.arpa", "9.b.d.0.1.0.0.2.ip6.arpa"]),
        ("0.0.0.0/0", ["in-addr.arpa"]),
    ],
)
def test_networks_are_reverse_zones(network: str, zones: list[str]) -> None:
    text = f"{network} {{\n {BIND}\n forward . 192.0.2.1\n}}"
    assert document_of(text)["zones"][0]["names"] == zones


def test_a_network_with_a_port_is_both() -> None:
    assert read_key("10.0.0.0/24:5353") == ("dns", ("0.0.10.in-addr.arpa",), 5353)
    assert read_key("dns://.:53") == ("dns", (".",), 53)


def test_a_prefix_between_labels_makes_as_many_zones_as_it_has_parts() -> None:
    from ipaddress import ip_network

    assert len(reverse_zones(ip_network("10.0.0.0/9"))) == 128


@pytest.mark.parametrize("key", ["a_b.example:", "ftp://a.example", "a..example", "*.example", "a.example:53x"])
def test_a_zone_that_cannot_be_is_named(key: str) -> None:
    text = f"{key} {{\n whoami\n}}\n. {{\n {BIND}\n forward . 192.0.2.1\n}}"
    assert grades(text, f"zone {key}") == [Grade.LEFT_OUT]
    assert list(zones_of(text)) == ["."]


def test_a_forward_of_a_part_of_the_block_gets_a_zone_of_its_own() -> None:
    text = f". {{\n {BIND}\n cache 30\n forward corp.example 192.0.2.9\n forward . 192.0.2.1\n}}"
    assert zones_of(text) == {".": ("192.0.2.1", 30, 30), "corp.example": ("192.0.2.9", 30, 30)}


def test_the_first_forward_that_takes_a_name_has_it() -> None:
    text = f". {{\n {BIND}\n cache 30\n forward . 192.0.2.1\n forward corp.example 192.0.2.9\n}}"
    assert zones_of(text) == {".": ("192.0.2.1", 30, 30)}


def test_excepted_names_go_to_the_next_forward() -> None:
    text = (
        f". {{\n {BIND}\n forward . 192.0.2.1 {{\n  except corp.example other.example\n }}\n"
        " forward corp.example 192.0.2.9\n}"
    )
    assert zones_of(text) == {".": ("192.0.2.1", 0, 0), "corp.example": ("192.0.2.9", 0, 0)}
    ((lines, grade, message),) = told(text, "zone other.example")
    assert (lines, grade) == ((1,), Grade.LEFT_OUT)
    assert "SERVFAIL" in message


def test_a_name_of_another_block_is_that_blocks() -> None:
    text = (
        f". {{\n {BIND}\n forward deep.corp.example 192.0.2.9\n forward . 192.0.2.1\n}}\n"
        f"corp.example {{\n {BIND}\n forward . 192.0.2.2\n}}"
    )
    assert {name: zone[0] for name, zone in zones_of(text).items()} == {".": "192.0.2.1", "corp.example": "192.0.2.2"}


def test_a_forward_outside_its_block_is_told() -> None:
    text = f"a.example {{\n {BIND}\n forward b.example 192.0.2.1\n forward . 192.0.2.2\n}}"
    assert (3,) in [lines for lines, _, message in told(text, "forward") if "not in this block" in message]


def test_the_second_block_of_a_zone_is_left_out() -> None:
    text = f". {{\n {BIND}\n forward . 192.0.2.1\n}}\n. {{\n bind 10.96.0.10\n forward . 192.0.2.2\n}}"
    assert zones_of(text) == {".": ("192.0.2.1", 0, 0)}
    assert told(text, "zone .") == [((5,), Grade.LEFT_OUT, "the zone has a block already")]


def test_a_block_without_forward_is_left_out_and_it_is_said_where_its_names_go() -> None:
    text = f"a.example {{\n {BIND}\n whoami\n}}\n. {{\n {BIND}\n forward . 192.0.2.1\n}}"
    assert list(zones_of(text)) == ["."]
    ((_, grade, message),) = told(text, "zone a.example")
    assert grade is Grade.LEFT_OUT
    assert "its names go where the zone above it goes" in message


def test_a_default_that_is_left_out_is_refused_and_that_is_said() -> None:
    text = f". {{\n {BIND}\n whoami\n}}\na.example {{\n {BIND}\n forward . 192.0.2.1\n}}"
    ((_, _, message),) = told(text, "zone .")
    assert "questions that are in no other zone are refused" in message


def test_the_resolver_does_not_ask_itself() -> None:
    text = (
        "cluster.local {\n bind 169.254.20.10 10.96.0.10\n forward . 10.96.0.10\n}\n"
        ". {\n bind 169.254.20.10 10.96.0.10\n forward . 10.96.0.10 192.0.2.1\n}"
    )
    assert zones_of(text) == {".": ("192.0.2.1", 0, 0)}
    assert grades(text, "zone cluster.local") == [Grade.LEFT_OUT]
    assert any("kube-dns-upstream" in message for _, _, message in told(text, "forward"))


def test_on_another_port_the_same_address_is_another_server() -> None:
    text = ".:5353 {\n bind 127.0.0.1 ::1\n forward . 127.0.0.1 [::1]:5353\n}"
    assert zone_of(text)["upstreams"] == ["127.0.0.1"]


def test_without_any_zone_there_is_nothing_to_convert_and_the_reasons_are_told() -> None:
    with pytest.raises(MigrationError) as caught:
        converted("a.example {\n whoami\n}")
    last = str(caught.value).splitlines()[-1]
    assert last == "Corefile: there is nothing to forward: no zone could be converted"
    assert "Corefile:2: whoami: left out" in str(caught.value)


def test_names_that_yaml_would_take_for_something_else_are_quoted() -> None:
    text = f"no 1.5 null.example {{\n {BIND}\n forward . 192.0.2.1\n}}"
    assert document_of(text)["zones"][0]["names"] == ["no", "1.5", "null.example"]
