"""Debian's Prometheus scrapes a running resolver and evaluates the chart's rules: quiet first, then alerts fire."""

import copy
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.lab.loopback import ask_once, configuration, load, running, upstream
from tests.lab.prometheus import Prometheus
from tests.lab.waiting import wait_until
from tests.unit.chart.rules import rules

pytestmark = pytest.mark.needs("prometheus")
PATIENCE_SECONDS = 60.0
# How fast this machine is at the moment is nothing that a test should find out.
PATIENT = {"thresholds": {"eventLoopSeconds": 60, "lookupSeconds": 60, "upstreamSeconds": 60}}


def at_once(rules: dict[str, Any]) -> dict[str, Any]:
    """The rules with alerts that do not wait."""
    hasty = copy.deepcopy(rules)
    for group in hasty["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    return hasty


def test_alerts_are_quiet_until_the_upstream_dies_and_then_the_resolver(tmp_path: Path) -> None:
    with ExitStack() as ending, ExitStack() as upstreams:
        server = upstreams.enter_context(upstream())
        resolver = ending.enter_context(running(tmp_path, configuration(server)))
        port, admin = resolver.config["listen"]["port"], resolver.config["admin"]["port"]
        target = {"targets": [f"127.0.0.1:{admin}"], "labels": {"node": "node-1"}}
        scrape = [{"job_name": "nodelocaldns-resolver", "static_configs": [target]}]
        hasty = at_once(rules(settings=PATIENT, injection={"mode": "none"}))
        prometheus = ending.enter_context(Prometheus(tmp_path, scrape, hasty))

        with load(port):
            ratio = "instance:nodelocaldns_cache_hits:ratio_rate5m > 0.5"
            wait_until(lambda: prometheus.query(ratio), "hits in the recording rule", PATIENCE_SECONDS)
        assert prometheus.troubled() == []
        wait_until(lambda: prometheus.firing() == {}, "quiet", PATIENCE_SECONDS)

        upstreams.close()
        numbers = iter(range(1_000_000))

        def dead() -> bool:
            ask_once(port, f"gone-{next(numbers)}.example")
            return {"NodeLocalDNSUpstreamDown", "NodeLocalDNSZoneWithoutUpstream"} <= set(prometheus.firing())

        wait_until(dead, "alerts about the upstream", PATIENCE_SECONDS)
        (alert,) = prometheus.firing()["NodeLocalDNSUpstreamDown"]
        assert (alert["labels"]["to"], alert["labels"]["node"]) == (f"127.0.0.1:{server.port}", "node-1")
        assert alert["annotations"]["summary"] == f"127.0.0.1:{server.port} does not answer node-1."

        resolver.kill()
        wait_until(lambda: "NodeLocalDNSDown" in prometheus.firing(), "the alert about the resolver", PATIENCE_SECONDS)
