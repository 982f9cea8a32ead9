"""The webhook behind the newest API server: what is created, and what comes back."""

from typing import Any

import pytest

from tests.cases.hostile import pods
from tests.cases.injection import CASES, LEAN_DNS_CONFIG, Case
from tests.lab.aftermath import after_creation
from tests.lab.apiserver import ApiServer
from tests.lab.webhook import Webhook, is_injected

pytestmark = [pytest.mark.e2e, pytest.mark.needs("go")]

ASKS = CASES[0]
UNASKED = CASES[1]
HOSTILE = 600


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_table_of_cases(api: ApiServer, webhook: Webhook, case: Case) -> None:
    reply = api.create_pod(case.namespace, case.pod("case-"))
    assert reply.status == 201, reply.document
    after_creation(case, reply.document)
    warnings = " ".join(reply.warnings)
    assert case.warning in warnings if case.warning else not warnings


def test_a_pod_that_does_not_ask_causes_no_call(api: ApiServer, webhook: Webhook) -> None:
    before = webhook.decisions()
    for case in CASES:
        if case.namespace == "plain" and case.annotations.get("nodelocaldns.io/inject") != "true":
            api.create_pod("plain", case.pod("unasked-"))
    api.create_pod("excluded", ASKS.pod("excluded-"))
    assert webhook.decisions() == before
    api.create_pod("plain", ASKS.pod("asked-"))
    assert webhook.decisions() == before + 1


def test_a_pod_of_a_controller_has_no_name_yet_and_is_injected(api: ApiServer, webhook: Webhook) -> None:
    pod = ASKS.pod("web-7d4b9c-")
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d4b9c", "uid": "1", "controller": True}
    pod["metadata"]["ownerReferences"] = [owner]
    reply = api.create_pod("plain", pod)
    assert reply.document["metadata"]["name"].startswith("web-7d4b9c-")
    assert is_injected(reply.document)


def test_a_dry_run_shows_the_change_and_keeps_nothing(api: ApiServer, webhook: Webhook) -> None:
    reply = api.create_pod("plain", ASKS.pod("dry"), "?dryRun=All")
    assert (reply.status, is_injected(reply.document)) == (201, True)
    assert api.call("GET", "/api/v1/namespaces/plain/pods/dry").status == 404


def test_a_change_of_an_old_pod_is_left_alone(api: ApiServer, webhook: Webhook) -> None:
    pod = api.create_pod("plain", UNASKED.pod("old")).document
    calls = webhook.decisions()
    patch = {"metadata": {"annotations": {"nodelocaldns.io/inject": "true"}}}
    path = "/api/v1/namespaces/plain/pods/old"
    after = api.must("PATCH", path, patch, content_type="application/merge-patch+json")
    assert after["spec"] == pod["spec"]
    assert webhook.decisions() == calls


def test_injected_pods_can_be_created_again_from_what_the_cluster_shows(api: ApiServer, webhook: Webhook) -> None:
    shown = api.create_pod("plain", ASKS.pod("first")).document
    again = {"metadata": {"name": "again", "annotations": shown["metadata"]["annotations"]}, "spec": shown["spec"]}
    reply = api.create_pod("plain", {"apiVersion": "v1", "kind": "Pod", **again})
    assert reply.document["spec"]["dnsConfig"] == shown["spec"]["dnsConfig"]


def test_the_audit_log_has_result_and_reason(api: ApiServer, webhook: Webhook) -> None:
    api.create_pod("plain", ASKS.pod("audited"))
    log = (api.folder / "audit.log").read_text()
    assert '"pods.nodelocaldns.io/result":"injected"' in log
    assert '"pods.nodelocaldns.io/profile":"lean"' in log
    assert '"pods.nodelocaldns.io/reason":"own-dns-config"' in log


def test_helm_applies_its_manifest_again_and_the_ca_bundle_stays(api: ApiServer, webhook: Webhook) -> None:
    from tests.lab.webhook import register

    def bundles(document: dict[str, Any]) -> list[str]:
        return [entry["clientConfig"].get("caBundle", "") for entry in document["webhooks"]]

    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/nodelocaldns-webhook"
    before = bundles(api.must("GET", path))
    register(api, webhook.port)
    after = api.must("GET", path)
    assert bundles(after) == before
    assert all(before)
    assert {each["manager"] for each in after["metadata"]["managedFields"]} == {"tests", "nodelocaldns-webhook"}


def test_the_official_client_gets_the_pod_of_the_contract(api: ApiServer, webhook: Webhook) -> None:
    import asyncio

    from kubernetes_asyncio import client, config

    async def create() -> Any:
        settings = client.Configuration()
        await config.load_kube_config(str(api.kubeconfig), client_configuration=settings)
        async with client.ApiClient(settings) as connection:
            core = client.CoreV1Api(connection)
            return connection.sanitize_for_serialization(
                await core.create_namespaced_pod("plain", ASKS.pod("by-the-official-client"))  # type: ignore[arg-type]
            )

    created = asyncio.run(create())
    assert created["spec"]["dnsPolicy"] == "None"
    assert created["spec"]["dnsConfig"] == LEAN_DNS_CONFIG


def test_a_pod_is_refused_with_the_webhook_only_if_it_is_without(api: ApiServer, webhook: Webhook) -> None:
    injected = refused = 0
    for pod in pods(HOSTILE):
        without = api.create_pod("excluded", pod, "?dryRun=All")
        answer = api.create_pod("plain", pod, "?dryRun=All")
        assert answer.status == without.status, answer.document
        refused += answer.status != 201
        injected += answer.status == 201 and is_injected(answer.document)
    assert injected > HOSTILE / 20 < refused
    assert webhook.metric("nodelocaldns_webhook_internal_errors_total") == 0
    assert webhook.metric("nodelocaldns_webhook_rejected_calls_total") == 0
