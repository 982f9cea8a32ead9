"""The steps of docs/migration.md on a real API server: which of both programs has a pod on which node, and when."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from resolver.migration import convert
from tests.lab.cluster import Cluster
from tests.lab.release import RESOLVERS, Release, installed

pytestmark = [pytest.mark.e2e, pytest.mark.needs("go", "netns", "crun", "nft")]

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
CASE = ROOT / "tests" / "cases" / "migration" / "shipped.yaml"
OLD = f"/apis/apps/v1/namespaces/{RESOLVERS}/daemonsets"
PATCHES = [
    json.loads(text) for text in re.findall(r"patch daemonset node-local-dns --type merge -p '(.*?)'", PAGE, re.DOTALL)
]
BUSY = ("real", "other")
"""Nodes that are looked at."""


def old_daemonset() -> dict[str, Any]:
    """NodeLocal DNSCache's as its manifest has it, host ports included."""
    found: dict[str, Any] = next(
        each for each in yaml.safe_load(CASE.read_text(encoding="utf-8"))["items"] if each["kind"] == "DaemonSet"
    )
    labels = {"k8s-app": "node-local-dns"}
    ports = [
        {"containerPort": 53, "protocol": "UDP"},
        {"containerPort": 53, "protocol": "TCP"},
        {"containerPort": 9253},
    ]
    template = {"metadata": {"labels": labels}, "spec": found["spec"]["template"]["spec"]}
    template["spec"]["containers"][0]["ports"] = ports
    found["spec"] = {"selector": {"matchLabels": labels}, "template": template}
    return found


def setting(command: str) -> dict[str, Any]:
    """What the `--set` of a command on the page say, as values."""
    values: dict[str, Any] = {}
    for path, value in re.findall(r"--set ([\w.-]+)=(\S+)", command):
        *folders, last = path.split(".")
        inner = values
        for name in folders:
            inner = inner.setdefault(name, {})
        inner[last] = yaml.safe_load(value)
    return values


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for key, value in other.items():
        both[key] = merged(both[key], value) if isinstance(value, dict) and isinstance(both.get(key), dict) else value
    return both


@pytest.fixture(scope="module")
def release(kube: Cluster) -> Iterator[Release]:
    """NodeLocal DNSCache on every node, and the chart as the page installs it: nowhere yet."""
    kube.api.must("POST", OLD, old_daemonset())
    converted = yaml.safe_load(convert(CASE.read_text(encoding="utf-8"), "shipped.yaml", {}, form="values").text)
    (command,) = re.findall(r"helm install nodelocaldns(?:.|\\\n)*?\n\n", PAGE)
    try:
        with installed(kube, merged(converted, setting(command)), "--wait") as made:
            yield made
    finally:
        kube.api.must("DELETE", f"{OLD}/node-local-dns")
        kube.until(lambda: not old_pods(kube), "the end of NodeLocal DNSCache's pods")


def old_pods(kube: Cluster) -> list[dict[str, Any]]:
    path = f"/api/v1/namespaces/{RESOLVERS}/pods?labelSelector=k8s-app=node-local-dns"
    items: list[dict[str, Any]] = kube.api.must("GET", path)["items"]
    return items


def programs(release: Release, node: str) -> set[str]:
    """Which of both have a pod on the node that is not ending."""
    pods = {"old": old_pods(release.cluster), "new": release.resolvers()}
    return {
        name
        for name, found in pods.items()
        for pod in found
        if pod["spec"].get("nodeName") == node and "deletionTimestamp" not in pod["metadata"]
    }


def label(kube: Cluster, node: str, name: str, value: str | None) -> None:
    document = {"metadata": {"labels": {name: value}}}
    kube.api.must("PATCH", f"/api/v1/nodes/{node}", document, content_type="application/merge-patch+json")


def test_a_node_passes_from_old_to_both_to_new_and_back_and_others_notice_nothing(release: Release) -> None:
    kube = release.cluster
    kube.until(lambda: all(programs(release, node) == {"old"} for node in BUSY), "NodeLocal DNSCache on every node")
    uids = {pod["metadata"]["uid"] for pod in old_pods(kube)}
    assert len(PATCHES) == 2
    for patch in PATCHES:
        kube.api.must("PATCH", f"{OLD}/node-local-dns", patch, content_type="application/merge-patch+json")
    for name, value, expected in (
        ("node-local-dns", "new", {"old", "new"}),
        ("node-local-dns-old", "off", {"new"}),
        ("node-local-dns-old", None, {"old", "new"}),
        ("node-local-dns", None, {"old"}),
    ):
        assert f"kubectl label node $NODE {name}{'-' if value is None else f'={value}'} " in PAGE
        label(kube, "real", name, value)
        kube.until(lambda expected=expected: programs(release, "real") == expected, f"{expected} on the node")  # type: ignore[misc]
        assert programs(release, "other") == {"old"}
    elsewhere = {pod["metadata"]["uid"] for pod in old_pods(kube) if pod["spec"].get("nodeName") != "real"}
    assert elsewhere < uids, "none of them was restarted"


def test_the_page_is_right_about_the_resolver_while_both_run(release: Release) -> None:
    config = yaml.safe_load(
        release.object(f"/api/v1/namespaces/{RESOLVERS}/configmaps/nodelocaldns-resolver")["data"]["resolver.yaml"]
    )
    assert config["node"]["interface"] == "localdns"
    assert config["admin"]["port"] == 9254
    assert config["listen"]["addresses"] == ["169.254.20.10", "10.96.0.10"]
    daemonset = release.object(f"{OLD}/nodelocaldns-resolver")["spec"]["template"]["spec"]
    (container,) = daemonset["containers"]
    assert {container[probe]["httpGet"]["port"] for probe in ("readinessProbe", "livenessProbe")} == {9254}
