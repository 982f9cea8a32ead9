"""bind, ports, prometheus, health, log: once per resolver instead of once per block."""

from typing import Any

import pytest

from resolver.migration import Grade
from tests.unit.migration.conversions import BLOCK, converted, document_of, grades

TWO = "a.example:{} {{\n {}\n forward . 192.0.2.53\n}}\nb.example:{} {{\n {}\n forward . 192.0.2.54\n}}\n"


def test_addresses_of_all_blocks_are_collected() -> None:
    text = TWO.format(53, "bind 169.254.20.10 fd00::a", 53, "bind 169.254.20.10\n bind 10.96.0.10")
    assert document_of(text)["listen"] == {"addresses": ["169.254.20.10", "fd00::a", "10.96.0.10"]}
    assert grades(text, "bind") == [Grade.CHANGED], "each block had its own"


def test_without_bind_every_address_is_listened_on_and_the_node_is_left_alone() -> None:
    document = document_of(". {\n forward . 192.0.2.53\n}")
    assert document["listen"]["addresses"] == ["0.0.0.0", "::"]
    assert document["node"] == {"manageInterface": False, "notrack": False}


def test_one_address_beside_all_of_its_family_is_among_them() -> None:
    text = TWO.format(53, "bind 0.0.0.0", 53, "bind 169.254.20.10 fd00::a")
    assert document_of(text)["listen"]["addresses"] == ["0.0.0.0", "fd00::a"]
    assert grades(text, "bind") == [Grade.NOTE, Grade.CHANGED]


@pytest.mark.parametrize("word", ["eth0", "224.0.0.1"])
def test_what_cannot_be_listened_on_is_named(word: str) -> None:
    text = f". {{\n bind 169.254.20.10 {word} {{\n  except 10.0.0.1\n }}\n forward . 192.0.2.53\n}}"
    assert document_of(text)["listen"]["addresses"] == ["169.254.20.10"]
    assert grades(text, f"bind {word}") == [Grade.LEFT_OUT]
    assert grades(text, "bind: except") == [Grade.LEFT_OUT]


def test_the_port_is_that_of_most_blocks_and_others_are_left_out() -> None:
    text = TWO.format(5353, "bind 127.0.0.1", 5353, "bind 127.0.0.1") + "c.example {\n whoami\n bind 1.2.3.4\n}\n"
    document = document_of(text)
    assert document["listen"] == {"addresses": ["127.0.0.1"], "port": 5353}
    assert grades(text, "zone c.example") == [Grade.LEFT_OUT]
    assert grades(text, "whoami") == [], "it goes with its zone"


@pytest.mark.parametrize("key", ["tls://a.example", "https://a.example:443", "grpc://a.example"])
def test_zones_that_are_served_over_other_transports_are_left_out(key: str) -> None:
    text = f"{key} {{\n forward . 192.0.2.1\n}}\n" + BLOCK.format("")
    assert [zone["names"] for zone in document_of(text)["zones"]] == [["."]]
    assert grades(text, f"zone {key}") == [Grade.LEFT_OUT]


@pytest.mark.parametrize(
    ("directives", "admin"),
    [
        ("", None),
        ("prometheus", {"address": "127.0.0.1", "port": 9153}),
        ("prometheus :9253", {"address": "0.0.0.0", "port": 9253}),
        ("prometheus localhost:9253", {"address": "127.0.0.1", "port": 9253}),
        ("prometheus [::]:9253", {"address": "::", "port": 9253}),
        ("health 169.254.20.10:8080\n prometheus :9253", {"address": "0.0.0.0", "port": 9253}),
        ("health 169.254.20.10:8080", {"address": "169.254.20.10", "port": 8080}),
        ("health {\n lameduck 5s\n}", {"address": "0.0.0.0", "port": 8080}),
    ],
)
def test_metrics_and_health_share_one_place(directives: str, admin: dict[str, Any] | None) -> None:
    assert document_of(BLOCK.format(directives)).get("admin") == admin


@pytest.mark.parametrize("place", ["here", "here:80", ":0", ":99999", "1.2.3.4"])
def test_a_place_that_is_none_is_named(place: str) -> None:
    text = BLOCK.format(f"prometheus {place}\n health {place}")
    assert (grades(text, "prometheus"), grades(text, "health")) == ([Grade.LEFT_OUT], [Grade.LEFT_OUT])


def test_a_second_place_for_metrics_is_told() -> None:
    assert grades(BLOCK.format("prometheus :9253\n prometheus :9254"), "prometheus") == [Grade.NOTE, Grade.CHANGED]


def test_health_and_its_options_are_told() -> None:
    text = BLOCK.format("health {\n lameduck 5s\n}")
    assert (grades(text, "health"), grades(text, "health: lameduck")) == ([Grade.NOTE], [Grade.NOTE])


@pytest.mark.parametrize(
    ("directive", "grade"),
    [("log", Grade.NOTE), ('log . "{remote}"', Grade.CHANGED), ("log {\n class denial\n}", Grade.CHANGED)],
)
def test_a_query_log_is_for_all_zones(directive: str, grade: Grade) -> None:
    text = BLOCK.format(directive)
    assert document_of(text)["log"] == {"queries": True}
    assert grades(text, "log") == [grade]
    assert "log" not in document_of(BLOCK.format("errors"))


def daemonset(*flags: str, bind: str = "bind 169.254.20.10") -> str:
    return f"""\
apiVersion: v1
kind: ConfigMap
metadata: {{name: node-local-dns}}
data:
  Corefile: |
    . {{
        {bind}
        forward . 192.0.2.53
    }}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: node-local-dns}}
spec: {{template: {{spec: {{containers: [{{args: [{", ".join(f'"{flag}"' for flag in flags)}]}}]}}}}}}
"""


OURS = {"interface": "localdns"}


@pytest.mark.parametrize(
    ("flags", "node"),
    [
        (("-localip", "169.254.20.10"), {"manageInterface": True, "notrack": True, **OURS}),
        (("-localip=169.254.20.10", "-setupiptables=false"), {"manageInterface": True, "notrack": False, **OURS}),
        (("--localip=169.254.20.10", "--setupinterface=false"), {"manageInterface": False, "notrack": True}),
        (("-localip=169.254.20.10", "-interfacename=dns0"), {"manageInterface": True, "notrack": True}),
        (("-localip=169.254.20.10", "-interfacename=nodelocaldns"), {"manageInterface": True, "notrack": True, **OURS}),
    ],
)
def test_flags_of_node_cache_say_what_is_done_on_the_node(flags: tuple[str, ...], node: dict[str, Any]) -> None:
    assert document_of(daemonset(*flags))["node"] == node


def test_with_bind_to_everything_the_addresses_are_those_of_the_flags() -> None:
    text = daemonset("-localip", "169.254.20.10,10.96.0.10", bind="bind 0.0.0.0")
    assert document_of(text)["listen"]["addresses"] == ["169.254.20.10", "10.96.0.10"]
    assert grades(text, "bind") == [Grade.CHANGED]


def test_an_address_of_the_flags_that_nothing_binds_is_told() -> None:
    assert grades(daemonset("-localip=169.254.20.10,10.96.0.10"), "-localip") == [Grade.NOTE]


def test_nothing_but_notes_is_complete() -> None:
    assert converted(daemonset("-localip=169.254.20.10")).complete
    assert not converted(daemonset("-localip=169.254.20.10,10.96.0.10", bind="bind 0.0.0.0")).complete
