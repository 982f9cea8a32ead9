"""What the chart tells the Prometheus operator: off by default, and complete where it is on."""

import re
from typing import Any

import pytest
import yaml

from tests.lab.helm import CHART, RefusedError, one, render

KINDS = {"PodMonitor", "ServiceMonitor", "PrometheusRule"}


def rendered(**observability: Any) -> list[dict[str, Any]]:
    return render({"observability": {kind: {"enabled": True, **more} for kind, more in observability.items()}})


def relabelings(endpoint: dict[str, Any]) -> dict[str, Any]:
    """By the label that each one writes."""
    return {each["targetLabel"]: each for each in endpoint["relabelings"] if "targetLabel" in each}


def test_nothing_of_it_is_there_unless_it_is_asked_for() -> None:
    kinds = {document["kind"] for document in render()}
    assert not kinds & KINDS
    assert not [each for each in render() if each["metadata"]["name"].endswith(("-metrics", "-dashboard"))]


def test_the_resolvers_pods_are_found_by_their_labels_and_namespace() -> None:
    documents = rendered(podMonitor={})
    monitor, pods = one(documents, "PodMonitor", "nodelocaldns-resolver")["spec"], one(documents, "DaemonSet")
    labels = pods["spec"]["template"]["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert monitor["namespaceSelector"] == {"matchNames": [pods["metadata"]["namespace"]]}


def test_a_resolver_is_scraped_at_its_admin_port_though_no_port_is_declared() -> None:
    settings = {"observability": {"podMonitor": {"enabled": True}}, "resolver": {"config": {"admin": {"port": 9999}}}}
    documents = render(settings)
    (container,) = one(documents, "DaemonSet")["spec"]["template"]["spec"]["containers"]
    assert "ports" not in container
    (endpoint,) = one(documents, "PodMonitor", "nodelocaldns-resolver")["spec"]["podMetricsEndpoints"]
    assert not {"port", "portNumber", "targetPort"} & set(endpoint)
    places = [each["replacement"] for each in endpoint["relabelings"] if each.get("targetLabel") == "__address__"]
    assert places == ["$1:9999", "[$1]:9999"]


def test_a_resolvers_target_is_a_node_and_not_a_pod() -> None:
    for kind, endpoints in (("podMonitor", "podMetricsEndpoints"), ("serviceMonitor", "endpoints")):
        documents = rendered(**{kind: {}})
        name = "nodelocaldns-resolver" + ("-metrics" if kind == "serviceMonitor" else "")
        (endpoint,) = one(documents, kind[0].upper() + kind[1:], name)["spec"][endpoints]
        assert relabelings(endpoint)["node"]["sourceLabels"] == ["__meta_kubernetes_pod_node_name"]
        assert relabelings(endpoint)["job"]["replacement"] == "nodelocaldns-resolver"
        (dropped,) = [each["regex"] for each in endpoint["relabelings"] if each["action"] == "labeldrop"]
        assert "pod" in dropped


def test_the_page_tells_the_same_to_a_prometheus_without_the_operator() -> None:
    page = (CHART.parents[1] / "docs" / "alerts.md").read_text(encoding="utf-8")
    (job,) = yaml.safe_load(re.findall(r"```yaml\n(scrape_configs:.*?)```", page, re.DOTALL)[0])["scrape_configs"]
    monitor = one(rendered(podMonitor={}), "PodMonitor", "nodelocaldns-resolver")
    wanted = {
        (each["sourceLabels"][0], each.get("regex"), each["targetLabel"], each.get("replacement"))
        for each in monitor["spec"]["podMetricsEndpoints"][0]["relabelings"]
        if "sourceLabels" in each
    }
    told = {
        (each["source_labels"][0], each.get("regex"), each["target_label"], each.get("replacement"))
        for each in job["relabel_configs"]
        if "target_label" in each
    }
    assert wanted <= told
    assert job["job_name"] == "nodelocaldns-resolver"


def test_the_webhooks_pods_are_scraped_at_the_port_that_they_declare() -> None:
    documents = rendered(podMonitor={})
    (endpoint,) = one(documents, "PodMonitor", "nodelocaldns-webhook")["spec"]["podMetricsEndpoints"]
    (container,) = one(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}
    assert relabelings(endpoint)["job"]["replacement"] == "nodelocaldns-webhook"


@pytest.mark.parametrize("program", ["resolver", "webhook"])
def test_a_service_monitor_has_a_headless_service_of_its_own(program: str) -> None:
    documents = rendered(serviceMonitor={})
    service = one(documents, "Service", f"nodelocaldns-{program}-metrics")
    spec = one(documents, "ServiceMonitor", f"nodelocaldns-{program}-metrics")["spec"]
    others = [each for each in documents if each["kind"] == "Service" and each is not service]
    labels = spec["selector"]["matchLabels"]
    assert labels.items() <= service["metadata"]["labels"].items()
    assert not [each for each in others if labels.items() <= each["metadata"]["labels"].items()]
    assert spec["namespaceSelector"]["matchNames"] == [service["metadata"]["namespace"]]
    assert (service["spec"]["clusterIP"], service["spec"]["publishNotReadyAddresses"]) == ("None", True)
    (port,) = service["spec"]["ports"]
    assert (port["name"], spec["endpoints"][0]["port"]) == ("metrics", "metrics")
    assert port["targetPort"] == (9253 if program == "resolver" else "metrics")


def test_without_a_webhook_there_is_nothing_to_scrape_of_it() -> None:
    for kind in ("podMonitor", "serviceMonitor"):
        documents = render({"injection": {"mode": "none"}, "observability": {kind: {"enabled": True}}})
        assert [each["metadata"]["name"] for each in documents if each["kind"] in KINDS] == [
            "nodelocaldns-resolver" + ("-metrics" if kind == "serviceMonitor" else "")
        ]


def test_both_kinds_of_monitors_at_once_are_refused() -> None:
    with pytest.raises(RefusedError, match="podMonitor or serviceMonitor and not both"):
        rendered(podMonitor={}, serviceMonitor={})


def test_settings_of_a_scrape_are_passed_on() -> None:
    own = {
        "labels": {"release": "prometheus"},
        "interval": "30s",
        "scrapeTimeout": "5s",
        "relabelings": [{"targetLabel": "team", "replacement": "dns"}],
        "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "process_.*"}],
    }
    for kind, endpoints in (("podMonitor", "podMetricsEndpoints"), ("serviceMonitor", "endpoints")):
        for monitor in [each for each in rendered(**{kind: own}) if each["kind"] in KINDS]:
            (endpoint,) = monitor["spec"][endpoints]
            assert monitor["metadata"]["labels"]["release"] == "prometheus"
            assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("30s", "5s")
            assert endpoint["relabelings"][-1] == own["relabelings"][0]  # type: ignore[index]
            assert endpoint["metricRelabelings"] == own["metricRelabelings"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("podMonitor.interval", "often"),
        ("rules.thresholds.servfailRatio", 5),
        ("rules.thresholds.typo", 1),
        ("rules.disabled", ["NodeLocalDNSDwon"]),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(path: str, value: object) -> None:
    for name in reversed(path.split(".")):
        value = {name: value}
    with pytest.raises(RefusedError, match=path.rpartition(".")[2]):
        render({"observability": value})
