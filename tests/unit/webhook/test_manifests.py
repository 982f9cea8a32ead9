import asyncio
import json
from typing import Any

import pytest
import yaml

from tests.cases.injection import CASES, DNS, Case
from tests.unit.webhook.api import FakeCluster
from webhook.audit import Lacking, audit, lacking, table
from webhook.guard import guard
from webhook.policy import policy
from webhook.profile import Dns
from webhook.registration import registration
from webhook.values import Cluster, Config

NAMES = Cluster(namespace="dns", excluded_namespaces=("kube-system",))


def test_the_registration_follows_the_good_practice_of_admission_webhooks() -> None:
    entries = registration(NAMES)["webhooks"]
    assert len(entries) == 2
    for entry in entries:
        assert entry["rules"] == [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
                "scope": "Namespaced",
            }
        ]
        assert (entry["failurePolicy"], entry["sideEffects"]) == ("Ignore", "None")
        assert (entry["matchPolicy"], entry["reinvocationPolicy"]) == ("Equivalent", "IfNeeded")
        assert entry["timeoutSeconds"] == 2
        assert entry["matchConditions"]
        excluded = entry["namespaceSelector"]["matchExpressions"][0]
        assert excluded == {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["dns", "kube-system"]}
        assert entry["clientConfig"]["service"]["name"] == "nodelocaldns-webhook"
        assert "caBundle" not in entry["clientConfig"]


def test_the_entries_share_no_namespace() -> None:
    selectors = [entry["namespaceSelector"]["matchExpressions"][1] for entry in registration(NAMES)["webhooks"]]
    assert [selector["operator"] for selector in selectors] == ["NotIn", "In"]
    assert {(selector["key"], tuple(selector["values"])) for selector in selectors} == {
        ("nodelocaldns.io/inject", ("true",))
    }


def test_a_url_and_a_bundle_take_the_place_of_the_service() -> None:
    client = registration(NAMES, "https://192.0.2.1:8443", "Zm9v")["webhooks"][1]["clientConfig"]
    assert client == {"url": "https://192.0.2.1:8443/mutate/namespace", "caBundle": "Zm9v"}


def test_a_policy_needs_the_address_of_the_cluster_dns() -> None:
    with pytest.raises(ValueError, match="cannot discover"):
        policy(Dns(), NAMES)


def test_every_policy_has_a_binding_and_all_are_plain_documents() -> None:
    documents = policy(DNS, NAMES) + guard(DNS, NAMES)
    names = [each["metadata"]["name"] for each in documents if not each["kind"].endswith("Binding")]
    bound = [each["spec"]["policyName"] for each in documents if each["kind"].endswith("Binding")]
    assert names == bound
    assert len(set(names)) == 4
    assert json.loads(json.dumps(documents)) == documents
    assert list(yaml.safe_load_all(yaml.safe_dump_all(documents))) == documents


def pod_of(case: Case, **status: str) -> dict[str, Any]:
    pod = case.pod("web")
    pod["metadata"]["namespace"] = case.namespace
    return pod | {"status": {"phase": "Running", **status}}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_audit_names_pods_that_ask_and_lack(case: Case) -> None:
    found = lacking(pod_of(case), DNS, {"opted-in"}, {"excluded"})
    if case.left in {"opted-out", "not-asked", "mirror-pod", "already-injected", "excluded-namespace"}:
        assert found is None
    else:
        assert found == Lacking(case.namespace, "web", case.left or "not-called")


def test_pods_that_ended_are_no_news() -> None:
    assert lacking(pod_of(CASES[0], phase="Succeeded"), DNS, (), ()) is None


def test_a_pod_that_cannot_be_read_is_named() -> None:
    pod = {"metadata": {"namespace": "a", "name": "b", "annotations": {"c": 1}}, "spec": {}}
    assert lacking(pod, DNS, (), ()) == Lacking("a", "b", "request.object.metadata.annotations['c'] is no text")


def test_the_audit_looks_at_all_pages_and_at_one_namespace() -> None:
    class Paged(FakeCluster):
        async def get(self, path: str, query: Any = None) -> dict[str, Any]:
            if path.endswith("/pods") and not (query or {}).get("continue"):
                return {"items": [], "metadata": {"continue": "more"}}
            return await super().get(path, query)

    cluster = Paged()
    opted_in = {"metadata": {"name": "opted-in", "labels": {"nodelocaldns.io/inject": "true"}}}
    pod = {"metadata": {"namespace": "opted-in", "name": "old"}, "spec": {"dnsPolicy": "ClusterFirst"}}
    cluster.objects["/api/v1/namespaces"] = {"items": [opted_in]}
    cluster.objects["/api/v1/namespaces/opted-in"] = opted_in
    cluster.objects["/api/v1/pods"] = cluster.objects["/api/v1/namespaces/opted-in/pods"] = {"items": [pod]}
    everywhere = asyncio.run(audit(cluster, Config()))
    assert everywhere == asyncio.run(audit(cluster, Config(), "opted-in")) == [Lacking("opted-in", "old", "not-called")]
    assert table(everywhere) == "NAMESPACE  POD  REASON\nopted-in   old  not-called\n"
