"""Whose the addresses of this node are, as its pods come, change and go."""

from typing import Any

import pytest

from resolver.kubernetes.pods import Pods, Whose, read_pod


def pod(name: str = "web-5d9c-x", *addresses: str, **more: Any) -> dict[str, Any]:
    """A pod of the Deployment web in the namespace shop."""
    owner = {"kind": "ReplicaSet", "name": "web-5d9c", "controller": True}
    metadata = {
        "name": name, "namespace": "shop", "labels": {"pod-template-hash": "5d9c"}, "ownerReferences": [owner],
    }  # fmt: skip
    status = {"phase": "Running", "podIPs": [{"ip": each} for each in addresses]}
    return {"metadata": {**metadata, **more.get("metadata", {})}, "spec": more.get("spec", {}),
            "status": {**status, **more.get("status", {})}}  # fmt: skip


def test_both_addresses_of_a_pod_are_its_workloads() -> None:
    whose = ["web-5d9c-x", "shop", "Deployment/web", False]
    assert read_pod(pod("web-5d9c-x", "10.1.0.7", "fd00::7")) == {"10.1.0.7": whose, "fd00::7": whose}


@pytest.mark.parametrize(
    ("metadata", "workload"),
    [
        ({"ownerReferences": [{"kind": "StatefulSet", "name": "db", "controller": True}]}, "StatefulSet/db"),
        ({"ownerReferences": [{"kind": "ReplicaSet", "name": "bare", "controller": True}]}, "ReplicaSet/bare"),
        ({"ownerReferences": [{"kind": "Other", "name": "x"}]}, ""),
        ({"ownerReferences": None}, ""),
    ],
)
def test_a_pod_belongs_to_what_controls_it(metadata: dict[str, Any], workload: str) -> None:
    assert read_pod(pod("p", "10.1.0.7", metadata=metadata))["10.1.0.7"][2] == workload


@pytest.mark.parametrize(
    "more", [{"spec": {"hostNetwork": True}}, {"status": {"phase": "Succeeded"}}, {"status": {"podIPs": [{}, "x"]}}]
)
def test_addresses_of_the_node_and_of_pods_that_ended_are_nobodys(more: dict[str, Any]) -> None:
    assert read_pod(pod("p", "10.1.0.7", **more)) == {}


@pytest.mark.parametrize(("searches", "lean"), [(["svc.cluster.local"], True), (["a", "b", "c"], False), (None, False)])
def test_who_opted_in_with_the_lean_profile_is_known(searches: object, lean: bool) -> None:
    document = pod(
        "p", "10.1.0.7", metadata={"annotations": {"nodelocaldns.io/status": "injected"}},
        spec={"dnsConfig": {"searches": searches}},
    )  # fmt: skip
    assert read_pod(document)["10.1.0.7"][3] is lean


@pytest.mark.parametrize("document", [{}, {"metadata": 1, "status": []}, {"status": {"podIP": 7}}])
def test_what_is_no_pod_has_no_address(document: dict[str, Any]) -> None:
    assert read_pod(document) == {}


def test_what_changes_is_told_once_and_an_address_is_its_newest_pods() -> None:
    told: list[dict[str, Whose]] = []
    trouble: list[tuple[str, str]] = []
    pods = Pods(told.append, lambda what, why: trouble.append((what, why)))
    pods.listed(iter([pod("a", "10.1.0.7")]))
    pods.changed(pod("a", "10.1.0.7"), gone=False)
    assert len(told) == 1
    pods.changed(pod("b", "10.1.0.7"), gone=False)
    assert told[-1]["10.1.0.7"][0] == "b"
    pods.changed(pod("b", "10.1.0.7"), gone=True)
    assert told[-1]["10.1.0.7"][0] == "a"
    pods.changed(pod("a", "10.1.0.7"), gone=True)
    assert told[-1] == {}
    pods.watching("403 Forbidden")
    assert trouble == [("pods of this node", "403 Forbidden")]
