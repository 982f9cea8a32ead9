"""Rules and dashboard look at what a running resolver and a running webhook export, and at nothing else.

What cannot be provoked here is listed with the reason, and the list may not be longer than needed.
"""

import json
from collections import defaultdict
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.lab.helm import CHART
from tests.lab.promql import TARGET, Selected, selectors, without_variables
from tests.unit.chart.rules import rules

ELSEWHERE = {
    "up": "Prometheus itself",
    "kube_node_info": "kube-state-metrics",
    "kube_daemonset_status_desired_number_scheduled": "kube-state-metrics",
    "kube_daemonset_status_number_available": "kube-state-metrics",
    "apiserver_admission_webhook_fail_open_count": "the API server",
}
UNPROVOKED = {
    ("coredns_nodecache_setup_errors_total", "errortype"): "nothing of the node failed",
    ("nodelocaldns_webhook_ready", "check=caBundle"): "takes an API server",
}

Samples = dict[str, dict[str, set[str]]]
"""Values by name of the sample and by label."""


@pytest.fixture(scope="module")
def exported(expositions: tuple[str, ...]) -> Samples:
    found: Samples = defaultdict(lambda: defaultdict(set))
    for text in expositions:
        for family in text_string_to_metric_families(text):
            _ = found[family.name + ("_total" if family.type == "counter" else "")]
            for sample in family.samples:
                for label, value in sample.labels.items():
                    found[sample.name][label].add(value)
    return dict(found)


def referenced() -> Iterator[tuple[str, Selected]]:
    """What rules and dashboard select, and where they do."""
    for panel in json.loads((CHART / "files" / "dashboard.json").read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            for each in selectors(without_variables(target["expr"])):
                yield f"panel {panel['title']}", each
    for group in rules()["groups"]:
        for rule in group["rules"]:
            for each in selectors(rule["expr"]):
                yield str(rule.get("alert") or rule["record"]), each


def lacking(exported: Samples, selected: Selected) -> set[tuple[str, str]]:
    """(metric, label or label=value) that nobody exports."""
    there = exported[selected.metric]
    labels = {(selected.metric, label) for label in selected.labels - TARGET if label not in there}
    values = {
        (selected.metric, f"{label}={value}")
        for label, value in selected.values
        if label in there and label not in TARGET and value not in there[label]
    }
    return labels | values


def test_every_metric_of_rules_and_dashboard_is_exported(exported: Samples) -> None:
    recorded = {rule["record"] for group in rules()["groups"] for rule in group["rules"] if "record" in rule}
    known = {*exported, *recorded, *ELSEWHERE}
    assert [(where, each.metric) for where, each in referenced() if each.metric not in known] == []


def test_every_label_and_every_value_that_is_selected_by_is_exported(exported: Samples) -> None:
    found = {what: where for where, each in referenced() if each.metric in exported for what in lacking(exported, each)}
    assert found.keys() == UNPROVOKED.keys(), found


def test_what_is_not_exported_is_found_out(exported: Samples) -> None:
    (wrong,) = selectors('sum by (rcodes) (coredns_dns_responses_total{rcode="SERVEFAIL"})')
    assert lacking(exported, wrong) == {
        ("coredns_dns_responses_total", "rcodes"),
        ("coredns_dns_responses_total", "rcode=SERVEFAIL"),
    }


def test_metrics_of_others_are_all_needed() -> None:
    assert set(ELSEWHERE) == {each.metric for _, each in referenced()} & set(ELSEWHERE)
