"""What the chart writes for both programs is what they read: each preset, and whatever the schema lets through."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resolver.__main__ import main
from resolver.config import Config, Upstream, load
from resolver.config.changes import RESTART
from tests.lab.helm import CHART, Document, Values, preset, presets, render, resolver_yaml, text_of_resolver_yaml
from webhook import schema
from webhook.values import Config as WebhookConfig

ENVIRON = {
    "KUBE_DNS_SERVICE_HOST": "10.96.0.10",
    "KUBE_DNS_UPSTREAM_SERVICE_HOST": "10.96.0.11",
    "NODELOCALDNS_UPSTREAM_SERVICE_HOST": "10.96.0.11",
}
RUN_IN_THE_LAB = {"kube-proxy-transparent", "gke", "dual-stack", "cilium"}
"""Presets with a resolver.yaml of their own: tests/integration/test_chart.py starts the resolver with each."""

DURATIONS = st.integers(300, 800).map(lambda number: f"{number}ms")
ADDRESSES = st.ip_addresses(v=4).filter(lambda each: not (each.is_multicast or each.is_unspecified)).map(str)
ZONE_KEYS = st.fixed_dictionaries(
    {},
    optional={
        "maxTTL": st.integers(0, 604800),
        "maxNTTL": st.integers(0, 604800),
        "timeout": DURATIONS,
        "serveStale": st.sampled_from(["0s", "30m", "24h", "1.5h"]),
        "policy": st.sampled_from(["sequential", "random", "roundRobin"]),
        "transport": st.sampled_from(["tcp", "udp", "tls"]),
    },
)
VALUES = st.fixed_dictionaries(
    {
        "resolver": st.fixed_dictionaries(
            {
                "mode": st.sampled_from(["linkLocal", "transparent", "podNetwork"]),
                "user": st.integers(1, 2**31 - 1),
                "config": st.fixed_dictionaries(
                    {},
                    optional={
                        "cache": st.fixed_dictionaries({"size": st.sampled_from(["1Mi", "64Mi", "1Gi"])}),
                        "log": st.fixed_dictionaries({"level": st.sampled_from(["debug", "warning"])}),
                        "listen": st.fixed_dictionaries({"workers": st.integers(1, 64)}),
                        "admin": st.fixed_dictionaries({"port": st.integers(1, 65535)}),
                    },
                ),
            }
        ),
        "dns": st.fixed_dictionaries(
            {
                "zones": st.fixed_dictionaries(
                    {
                        "cluster": ZONE_KEYS,
                        "default": ZONE_KEYS,
                        "extra": ZONE_KEYS.map(
                            lambda keys: [keys | {"names": ["corp.example"], "upstreams": ["192.0.2.1"]}]
                        ),
                    }
                ),
            },
            optional={"upstreams": st.lists(ADDRESSES, min_size=1, max_size=3, unique=True)},
        ),
        "injection": st.fixed_dictionaries({"ndots": st.integers(0, 15), "timeout": st.integers(1, 30)}),
    }
)


def webhook_yaml(documents: list[Document]) -> str:
    found = next(each for each in documents if "webhook.yaml" in each.get("data", {}))
    return str(found["data"]["webhook.yaml"])


def defaults_and_presets() -> list[Any]:
    return [pytest.param({}, id="defaults"), *(pytest.param(preset(name), id=name) for name in presets())]


@pytest.mark.parametrize("values", defaults_and_presets())
def test_the_resolver_finds_nothing_wrong_with_its_file(
    values: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "resolver.yaml"
    path.write_text(text_of_resolver_yaml(render(values)), encoding="utf-8")
    assert (main(["--config", str(path), "--check"]), capsys.readouterr().err) == (0, "")


@pytest.mark.parametrize("name", sorted(set(presets()) - RUN_IN_THE_LAB))
def test_other_presets_have_the_resolver_yaml_of_the_defaults(name: str) -> None:
    assert resolver_yaml(render(preset(name))) == resolver_yaml(render())


def test_the_defaults_are_the_contract_s_with_the_node_s_part_switched_on() -> None:
    config, contract = load(text_of_resolver_yaml(render()), "f", ENVIRON), Config()
    assert config._replace(node=contract.node, admin=contract.admin, zones=contract.zones) == contract
    upstreams = (Upstream("10.96.0.11", 53, None),)
    assert config.zones == (contract.zones[0]._replace(upstreams=upstreams), *contract.zones[1:])
    assert (config.node.manage_interface, config.node.notrack, config.node.user) == (True, True, "65532")
    assert config.node.handover_socket == "/run/nodelocaldns/handover.sock"
    assert (config.admin.address, config.admin.port) == ("0.0.0.0", 9253)


def test_the_webhook_s_defaults_are_the_contract_s() -> None:
    config = schema.load(webhook_yaml(render()), "f")
    contract = WebhookConfig()
    assert config.dns == contract.dns
    assert config.listen == contract.listen
    assert config.tls == contract.tls
    assert config.cluster.excluded_namespaces == contract.cluster.excluded_namespaces


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_what_the_schema_lets_through_both_programs_read(values: Values) -> None:
    documents = render(values)
    config = load(text_of_resolver_yaml(documents), "resolver.yaml", ENVIRON)
    assert config.node.manage_interface is (values["resolver"]["mode"] != "podNetwork")
    assert {zone.names[0] for zone in config.zones} == {"cluster.local", ".", "corp.example"}
    assert schema.load(webhook_yaml(documents), "webhook.yaml").dns.ndots == values["injection"]["ndots"]


def test_values_are_merged_over_what_is_generated_key_by_key() -> None:
    config = resolver_yaml(render({"resolver": {"config": {"node": {"notrack": False}, "cache": {"size": "64Mi"}}}}))
    assert config["node"]["manageInterface"] is True
    assert config["node"]["notrack"] is False
    assert config["cache"] == {"size": "64Mi"}
    zones = resolver_yaml(render({"dns": {"zones": {"default": {"upstreams": ["192.0.2.53"], "maxTTL": 300}}}}))[
        "zones"
    ]
    assert zones[1] == {"names": ["."], "upstreams": ["192.0.2.53"], "transport": "tcp", "maxTTL": 300}
    webhook = yaml.safe_load(webhook_yaml(render({"webhook": {"config": {"log": {"level": "debug"}}}})))
    assert webhook["log"] == {"level": "debug"}


def test_ports_of_probes_and_services_follow_the_configuration() -> None:
    values = {"resolver": {"config": {"admin": {"port": 9999}}}, "webhook": {"config": {"admin": {"port": 9998}}}}
    for document in render(values):
        if document["kind"] == "DaemonSet":
            container = document["spec"]["template"]["spec"]["containers"][0]
            probes = [container[name]["httpGet"] for name in ("readinessProbe", "livenessProbe")]
            assert {probe["port"] for probe in probes} == {9999}
            assert not any("host" in probe for probe in probes)
        if document["kind"] == "Deployment":
            ports = document["spec"]["template"]["spec"]["containers"][0]["ports"]
            assert {port["name"]: port["containerPort"] for port in ports} == {"https": 8443, "metrics": 9998}


@pytest.mark.parametrize(
    ("values", "probe"),
    [
        ({}, ["exec", "/run/nodelocaldns/handover.sock"]),
        ({"handoverPath": "/run/other"}, ["exec", "/run/other/handover.sock"]),
        ({"config": {"node": {"handoverSocket": ""}}}, ["httpGet", "/health"]),
        ({"mode": "podNetwork"}, ["httpGet", "/health"]),
    ],
)
def test_where_a_predecessor_can_be_there_a_pod_starts_when_it_listens_itself(
    values: dict[str, Any], probe: list[str]
) -> None:
    (daemonset,) = [each for each in render({"resolver": values}) if each["kind"] == "DaemonSet"]
    started = daemonset["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    kind, place = probe
    assert set(started) == {kind, "periodSeconds", "failureThreshold", "timeoutSeconds"}
    if kind == "exec":
        assert started[kind]["command"] == ["nodelocaldns-resolver", "--started", place]
    else:
        assert started[kind]["path"] == place


def test_where_the_resolver_s_address_is_ipv6_so_is_that_of_probes() -> None:
    config = resolver_yaml(render({"dns": {"localAddress": "fd00:a9fe:20::10"}}))
    assert (config["listen"]["addresses"], config["admin"]["address"]) == (["fd00:a9fe:20::10"], "::")


def test_the_checksum_covers_the_keys_that_take_a_restart() -> None:
    template = (CHART / "templates" / "resolver" / "_config.tpl").read_text(encoding="utf-8")
    body = template.partition('define "nodelocaldns.resolver.restartKeys"')[2]
    covered = {
        "node": "$config.node",
        "listen.workers": '"listen" "workers"',
        "admin.top": '"admin" "top"',
        "admin.ownersFile": '"admin" "ownersFile"',
    }
    for path, *_ in RESTART:
        assert covered.get(path, covered.get(path.partition(".")[0], "no key")) in body
