"""A Prometheus that knows the pods of an upgrade finds one target per node by the chart's monitors, and scrapes it.

The address of the pods is that of a resolver that runs on loopback. What is discovered, and what the operator makes of
a monitor, is played (tests/lab/discovery.py); the relabelings and the scrape are Prometheus's own.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.discovery import endpoint_targets, pod_targets, scrape_config
from tests.lab.helm import one, render
from tests.lab.loopback import Running, configuration, running, upstream
from tests.lab.prometheus import Prometheus
from tests.lab.waiting import wait_until

pytestmark = pytest.mark.needs("prometheus")

PATIENCE_SECONDS = 60.0
Documents = list[dict[str, Any]]


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("resolver")
    with upstream() as server, running(folder, configuration(server)) as resolver:
        yield resolver


def chart(kind: str, port: int) -> Documents:
    own = {"resolver": {"config": {"admin": {"port": port}}}}
    return render({"observability": {kind: {"enabled": True}}, **own})


def pods(documents: Documents, address: str = "127.0.0.1") -> Documents:
    """The old and the new pod of an upgrade on node-1, and one of another namespace with the same labels."""
    template = one(documents, "DaemonSet")["spec"]["template"]
    places = (("kube-system", "old"), ("kube-system", "new"), ("elsewhere", "other"))
    return [each for place in places for each in pod_targets(template, *place, "node-1", address)]


def scraping(folder: Path, monitor: dict[str, Any], targets: Documents) -> Prometheus:
    return Prometheus(folder, [scrape_config(monitor, targets, folder / "targets.json")], {"groups": []})


@pytest.mark.parametrize("kind", ["podMonitor", "serviceMonitor"])
def test_both_pods_of_an_upgrade_are_one_target_though_no_port_is_declared(
    resolver: Running, tmp_path: Path, kind: str
) -> None:
    port = resolver.config["admin"]["port"]
    documents = chart(kind, port)
    if kind == "podMonitor":
        monitor, targets = one(documents, "PodMonitor", "nodelocaldns-resolver"), pods(documents)
    else:
        monitor = one(documents, "ServiceMonitor", "nodelocaldns-resolver-metrics")
        targets = endpoint_targets(one(documents, "Service", "nodelocaldns-resolver-metrics"), pods(documents))
    with scraping(tmp_path, monitor, targets) as prometheus:
        wait_until(lambda: prometheus.query("nodelocaldns_build_info"), "metrics", PATIENCE_SECONDS)
        expected = {
            "instance": f"127.0.0.1:{port}",
            "job": "nodelocaldns-resolver",
            "namespace": "kube-system",
            "node": "node-1",
        }
        assert [target["labels"] for target in prometheus.targets()] == [expected]
        assert len(prometheus.query("nodelocaldns_build_info")) == 1


def test_an_address_of_ipv6_gets_its_brackets(tmp_path: Path) -> None:
    documents = chart("podMonitor", 9253)
    monitor = one(documents, "PodMonitor", "nodelocaldns-resolver")
    with scraping(tmp_path, monitor, pods(documents, "fd00::1")) as prometheus:
        wait_until(prometheus.targets, "a target", PATIENCE_SECONDS)
        assert [target["scrapeUrl"] for target in prometheus.targets()] == ["http://[fd00::1]:9253/metrics"]


def test_a_port_number_would_find_nothing(tmp_path: Path) -> None:
    documents = chart("podMonitor", 9253)
    monitor = one(documents, "PodMonitor", "nodelocaldns-resolver")
    monitor["spec"]["podMetricsEndpoints"][0]["portNumber"] = 9253
    with scraping(tmp_path, monitor, pods(documents)) as prometheus:
        wait_until(lambda: len(prometheus.dropped()) == 3, "all pods to be looked at", PATIENCE_SECONDS)
        assert prometheus.targets() == []


def test_of_the_webhooks_ports_the_one_with_metrics_is_scraped(tmp_path: Path) -> None:
    documents = chart("podMonitor", 9253)
    template = one(documents, "Deployment")["spec"]["template"]
    targets = pod_targets(template, "nodelocaldns", "webhook-a", "node-1", "10.244.0.8")
    assert len(targets) > 1
    with scraping(tmp_path, one(documents, "PodMonitor", "nodelocaldns-webhook"), targets) as prometheus:
        wait_until(prometheus.targets, "a target", PATIENCE_SECONDS)
        (target,) = prometheus.targets()
        assert target["scrapeUrl"] == "http://10.244.0.8:9254/metrics"
        assert (target["labels"]["job"], target["labels"]["pod"]) == ("nodelocaldns-webhook", "webhook-a")
