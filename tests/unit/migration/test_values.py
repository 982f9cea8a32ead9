"""A conversion as values of the chart: what the chart makes of them is what the conversion alone would be."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from resolver.config import Config, load
from resolver.migration import convert
from tests.lab.helm import one, render
from tests.unit.migration.test_cases import CASES, FOLDER, VALUES

ENVIRONMENT = {"NODELOCALDNS_UPSTREAM_SERVICE_HOST": "10.96.200.1", "KUBE_DNS_SERVICE_HOST": "10.96.0.10"}


def values_of(text: str, **given: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(convert(text, "Corefile", given, form="values").text)
    return found


def installed(values: dict[str, Any]) -> Config:
    """The configuration that the chart puts into its ConfigMap."""
    config_map = one(render(values), "ConfigMap", "nodelocaldns-resolver")
    return load(config_map["data"]["resolver.yaml"], "chart", ENVIRONMENT)


@pytest.mark.parametrize("case", CASES)
def test_the_chart_makes_of_them_what_the_conversion_says(case: str) -> None:
    text, given = (FOLDER / case).read_text(encoding="utf-8"), VALUES.get(Path(case).stem, {})
    alone = load(convert(text, case, given).text, case)
    inside = installed(values_of(text, **given))
    if alone.node.manage_interface:
        assert inside.listen == alone.listen
        assert inside.node.interface == alone.node.interface == "localdns"
        assert inside.node.notrack == alone.node.notrack
    # The address of NodeLocal DNSCache's own Service gives way to a Service that the chart makes.
    theirs = {"10.96.87.11", "34.118.230.7"}
    assert [
        zone._replace(upstreams=tuple(each for each in zone.upstreams if str(each) != "10.96.200.1:53"))
        for zone in inside.zones
    ] == [
        zone._replace(upstreams=tuple(each for each in zone.upstreams if str(each).removesuffix(":53") not in theirs))
        for zone in alone.zones
    ]
    assert (inside.cache, inside.log) == (alone.cache, alone.log)


@pytest.mark.parametrize(
    ("bind", "dns", "mode"),
    [
        ("169.254.20.10", {"localAddress": "169.254.20.10"}, "linkLocal"),
        ("169.254.20.10 10.96.0.10", {"localAddress": "169.254.20.10", "clusterDNS": "10.96.0.10"}, "transparent"),
        ("169.254.20.10 fd00::a", {"localAddress": "169.254.20.10", "localAddressIPv6": "fd00::a"}, "linkLocal"),
        (
            "169.254.20.10 fd00::a 10.96.0.10 fd00:96::a",
            {
                "localAddress": "169.254.20.10",
                "localAddressIPv6": "fd00::a",
                "clusterDNS": "10.96.0.10",
                "clusterDNSIPv6": "fd00:96::a",
            },
            "transparent",
        ),
        ("0.0.0.0", {"localAddress": "169.254.20.10"}, "podNetwork"),
        ("fd00::a", {}, "linkLocal"),
        ("10.0.0.1 10.0.0.2 10.0.0.3", {}, "linkLocal"),
    ],
)
def test_addresses_say_the_mode(bind: str, dns: dict[str, str], mode: str) -> None:
    values = values_of(f". {{\n bind {bind}\n forward . 192.0.2.1\n}}")
    service = values["dns"].pop("upstreamService")
    assert (values["dns"], values["resolver"]["mode"]) == (dns, mode)
    assert service == {"name": "nodelocaldns-upstream"}
    assert ("listen" in values["resolver"]["config"]) is (not dns)
    if mode != "podNetwork":
        assert set(installed(values | {"dns": values["dns"] | {"upstreamService": service}}).listen.addresses) >= set(
            bind.split()
        )


def test_another_port_is_kept() -> None:
    values = values_of(".:5353 {\n bind 169.254.20.10\n forward . 192.0.2.1\n}")
    assert values["resolver"]["config"]["listen"] == {"addresses": ["169.254.20.10"], "port": 5353}
