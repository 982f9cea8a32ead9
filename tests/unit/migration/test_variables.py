"""__PILLAR__ variables and the environment: given, found, assumed or missing."""

import pytest

from resolver.migration import Grade, MigrationError
from tests.unit.migration.conversions import FILE, config_of, converted, document_of, told

TEMPLATE = """\
__PILLAR__DNS__DOMAIN__:53 {
    bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__
    forward . __PILLAR__CLUSTER__DNS__ {
        force_tcp
    }
    health __PILLAR__LOCAL__DNS__:8080
    prometheus __PROMETHEUS__ENDPOINT__
}
.:53 {
    bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__
    forward . __PILLAR__UPSTREAM__SERVERS__
}
"""
CLUSTER_DNS = "__PILLAR__CLUSTER__DNS__"


def test_what_has_no_safe_value_must_be_given() -> None:
    with pytest.raises(MigrationError) as caught:
        converted(TEMPLATE)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{FILE}:3:15: {CLUSTER_DNS}: ")
    assert f"--set {CLUSTER_DNS}=ADDRESS" in line
    assert "kube-dns-upstream" in line


def test_the_rest_is_what_nodelocal_dnscache_would_put_in() -> None:
    config = config_of(TEMPLATE, **{CLUSTER_DNS: "10.96.0.11"})
    assert config.listen.addresses == ("169.254.20.10",)
    assert [zone.names for zone in config.zones] == [("cluster.local",), (".",)]
    assert [str(zone.upstreams[0]) for zone in config.zones] == ["10.96.0.11:53", "/etc/resolv.conf"]
    assert (config.admin.address, config.admin.port) == ("0.0.0.0", 9253)


@pytest.mark.parametrize("name", ["__PILLAR__DNS__DOMAIN__", "__PILLAR__LOCAL__DNS__", "__PILLAR__DNS__SERVER__"])
def test_an_assumption_is_told_once_with_the_way_to_say_otherwise(name: str) -> None:
    ((_, grade, message),) = told(TEMPLATE, name, **{CLUSTER_DNS: "10.96.0.11"})
    assert grade is Grade.NOTE
    assert f"--set {name}=" in message


def test_given_values_win_and_several_addresses_are_several_words() -> None:
    values = {
        CLUSTER_DNS: "10.96.0.11",
        "__PILLAR__DNS__DOMAIN__": "k8s.example",
        "__PILLAR__LOCAL__DNS__": "169.254.20.11 fd00::a",
        "__PILLAR__DNS__SERVER__": "10.96.0.10",
        "__PILLAR__UPSTREAM__SERVERS__": "192.0.2.1 192.0.2.2",
    }
    document = document_of(TEMPLATE, **values)
    assert document["listen"]["addresses"] == ["169.254.20.11", "fd00::a", "10.96.0.10"]
    assert document["zones"][0]["names"] == ["k8s.example"]
    assert document["zones"][1]["upstreams"] == ["192.0.2.1", "192.0.2.2"]


def test_the_address_of_a_service_that_belongs_to_the_old_manifest_is_pointed_out() -> None:
    ((lines, grade, message),) = told(TEMPLATE, CLUSTER_DNS, **{CLUSTER_DNS: "10.96.0.11"})
    assert (lines, grade) == ((3,), Grade.NOTE)
    assert message.startswith("is 10.96.0.11: ")


@pytest.mark.parametrize("reference", ["{$DNS}", "{%DNS%}"])
def test_the_environment_of_coredns_has_to_be_given_too(reference: str) -> None:
    text = f". {{\n bind 169.254.20.10\n forward . {reference}:5353\n}}\n"
    with pytest.raises(MigrationError, match=r"Corefile:3:12: DNS: .* --set DNS=VALUE"):
        converted(text)
    assert document_of(text, DNS="192.0.2.7")["zones"][0]["upstreams"] == ["192.0.2.7:5353"]


def test_all_that_is_missing_is_told_at_once() -> None:
    with pytest.raises(MigrationError) as caught:
        converted("{$ZONE} {\n forward . {$ONE} {$TWO} {$ONE}\n}")
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["ZONE", "ONE", "TWO", "ONE"]
