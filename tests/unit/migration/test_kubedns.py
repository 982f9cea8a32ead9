"""The ConfigMap kube-dns: stub domains, upstream nameservers, and what is wrong in them."""

import pytest

from resolver.migration import Grade, MigrationError
from tests.unit.migration.conversions import converted, document_of, grades, told

CLUSTER_DNS = "__PILLAR__CLUSTER__DNS__"
COREFILE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: node-local-dns}
data:
  Corefile: |
    cluster.local {
        bind 169.254.20.10
        forward . 10.96.0.11 {
            force_tcp
        }
    }
    . {
        bind 169.254.20.10
        forward . WORLD
    }
---
"""
FROM_VARIABLE = COREFILE.replace("WORLD", "__PILLAR__UPSTREAM__SERVERS__ {\n            force_tcp\n        }")


def kube_dns(**data: str) -> str:
    lines = "".join(f"  {key}: |\n    {text}\n" for key, text in data.items())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: kube-dns}}\ndata:\n{lines}"


def test_stub_domains_become_zones_as_nodelocal_dnscache_makes_them() -> None:
    text = FROM_VARIABLE + kube_dns(
        stubDomains='{"corp.example": ["10.1.1.1:5353", "10.1.1.2"], "10.0.0.0/8": ["10.1.1.3"]}'
    )
    zone, reverse = document_of(text)["zones"][2:]
    assert (zone["names"], zone["upstreams"]) == (["corp.example"], ["10.1.1.1:5353", "10.1.1.2"])
    assert (zone["transport"], zone["policy"], zone["maxTTL"], zone["maxNTTL"]) == ("udp", "random", 30, 30)
    assert reverse["names"] == ["10.in-addr.arpa"]
    assert "  # stubDomains: corp.example\n" in converted(text).text


def test_upstream_nameservers_take_the_place_of_the_variable_and_are_asked_over_udp() -> None:
    text = FROM_VARIABLE + kube_dns(upstreamNameservers='["192.0.2.1", "192.0.2.2"]')
    zone = document_of(text)["zones"][1]
    assert (zone["upstreams"], zone["transport"]) == (["192.0.2.1", "192.0.2.2"], "udp")
    assert any("over UDP" in message for _, _, message in told(text, "forward"))


def test_upstream_nameservers_without_a_place_for_them_are_told() -> None:
    text = COREFILE.replace("WORLD", "192.0.2.9") + kube_dns(upstreamNameservers='["192.0.2.1"]')
    assert document_of(text)["zones"][1]["upstreams"] == ["192.0.2.9"]
    assert grades(text, "upstreamNameservers") == [Grade.CHANGED]


def test_the_configmap_alone_is_put_into_the_shipped_corefile() -> None:
    text = kube_dns(stubDomains='{"corp.example": ["10.1.1.1"]}', upstreamNameservers='["192.0.2.1"]')
    names = [name for zone in document_of(text, **{CLUSTER_DNS: "10.96.0.11"})["zones"] for name in zone["names"]]
    assert names == ["cluster.local", "in-addr.arpa", "ip6.arpa", ".", "corp.example"]
    with pytest.raises(MigrationError, match="manifest"):
        converted(text)


def test_lines_of_the_configmap_are_lines_of_the_file() -> None:
    text = FROM_VARIABLE + kube_dns(federations="{}", stubDomains='{"a:b": ["10.1.1.1"]}')
    first = text.splitlines().index("  federations: |") + 1
    assert told(text, "federations")[0][0] == (first + 1,)
    assert told(text, "stubDomains: a:b")[0][0] == (first + 3,)


@pytest.mark.parametrize(
    ("data", "subject"),
    [
        ({"stubDomains": "corp.example"}, "stubDomains"),
        ({"stubDomains": '["corp.example"]'}, "stubDomains"),
        ({"stubDomains": "[" * 100_000}, "stubDomains"),
        ({"upstreamNameservers": "192.0.2.1"}, "upstreamNameservers"),
        ({"stubDomains": '{"corp.example": "10.1.1.1"}'}, "stubDomains: corp.example"),
        ({"stubDomains": '{"corp.example": []}'}, "stubDomains: corp.example"),
        ({"stubDomains": '{"corp.example": ["ns.example"]}'}, "zone corp.example"),
        ({"stubDomains": '{"cluster.local": ["10.1.1.1"]}'}, "stubDomains: cluster.local"),
    ],
)
def test_what_is_wrong_in_it_is_left_out_and_named(data: dict[str, str], subject: str) -> None:
    assert grades(FROM_VARIABLE + kube_dns(**data), subject) == [Grade.LEFT_OUT]


def test_more_nameservers_than_nodelocal_dnscache_takes_are_taken() -> None:
    text = FROM_VARIABLE + kube_dns(upstreamNameservers='["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]')
    assert len(document_of(text)["zones"][1]["upstreams"]) == 4
    assert grades(text, "upstreamNameservers") == [Grade.NOTE]


def test_empty_settings_are_none() -> None:
    text = FROM_VARIABLE + kube_dns(stubDomains="{}", upstreamNameservers="[]") + '  federations: ""\n'
    assert [zone["names"] for zone in document_of(text)["zones"]] == [["cluster.local"], ["."]]
    assert grades(text, "federations") == []
