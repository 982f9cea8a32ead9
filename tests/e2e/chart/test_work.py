"""What an installed chart does: its own programs in containers as its own objects say, with its own rights."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cases.injection import LEAN_DNS_CONFIG
from tests.e2e.chart.test_settings import ASKS, pod
from tests.lab.ask import ask
from tests.lab.cluster import Cluster
from tests.lab.kubelet import Running
from tests.lab.objects import objects
from tests.lab.release import NAMESPACE, RESOLVERS, Release, installed, is_resolver, is_webhook

pytestmark = [pytest.mark.e2e, pytest.mark.needs("go", "netns", "crun", "nft")]

REGISTRATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/nodelocaldns-webhook"
SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/nodelocaldns-webhook-ca"
LOOK_UP = "import socket; print(*sorted({each[4][0] for each in socket.getaddrinfo('api.shop', 80)}))"


@pytest.fixture(scope="module")
def release(kube: Cluster) -> Iterator[Release]:
    """No values. Both pods of the webhook and the resolver of one node run for real; ready when they say so."""
    client = "tests.example/client"
    kube.kubelet.runs = lambda pod: (
        is_webhook(pod)
        or is_resolver(pod, "real")
        or client in pod["metadata"].get("labels", {})
        or "helm.sh/hook" in pod["metadata"].get("annotations", {})
    )
    with installed(kube, None, "--wait") as made:
        yield made
    kube.kubelet.runs = lambda pod: False


def running(release: Release, chosen: dict[str, Any]) -> Running:
    """The real pod behind the document."""
    return release.cluster.kubelet.running[chosen["metadata"]["uid"]]


def resolver_of(release: Release, node: str) -> dict[str, Any]:
    """The one resolver of a node."""
    (resolver,) = [each for each in release.resolvers() if each["spec"]["nodeName"] == node]
    return resolver


@contextlib.contextmanager
def asking(kube: Cluster) -> Iterator[list[object]]:
    """Somebody on the node asks one question after another; the answers so far, None for each that did not come."""
    answers: list[object] = []
    stop = threading.Event()

    def ask_on() -> None:
        while not stop.wait(0.01):
            answers.append(ask(kube.node, "169.254.20.10", "api.shop.svc.cluster.local", patience_seconds=10.0))

    thread = threading.Thread(target=ask_on)
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join()


def test_an_annotated_pod_comes_back_with_the_contract_s_dns_config(release: Release) -> None:
    created = release.cluster.api.create_pod("default", pod("asks", ASKS), "?dryRun=All")
    assert created.document["spec"]["dnsPolicy"] == "None"
    assert created.document["spec"]["dnsConfig"] == LEAN_DNS_CONFIG


def test_other_pods_come_back_as_they_were(release: Release) -> None:
    created = release.cluster.api.create_pod("default", pod("plain"), "?dryRun=All").document
    assert created["spec"]["dnsPolicy"] == "ClusterFirst"
    assert "dnsConfig" not in created["spec"]


def test_a_namespace_that_opted_in_has_all_its_pods_injected_also_those_of_controllers(release: Release) -> None:
    kube = release.cluster
    kube.api.create_namespace("opted-in", {"nodelocaldns.io/inject": "true"})
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod("web")["spec"]}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }
    kube.api.must("POST", "/apis/apps/v1/namespaces/opted-in/deployments", deployment)
    path = "/api/v1/namespaces/opted-in/pods?labelSelector=app=web"
    kube.until(lambda: len(release.object(path)["items"]) == 2, "pods of the Deployment")
    assert [each["spec"]["dnsConfig"] for each in release.object(path)["items"]] == [LEAN_DNS_CONFIG, LEAN_DNS_CONFIG]
    kube.api.must("DELETE", "/api/v1/namespaces/opted-in")


def test_a_pod_resolves_names_of_the_cluster_through_the_resolver_of_its_node(release: Release) -> None:
    kube = release.cluster
    client = pod("client", ASKS)
    client["metadata"]["labels"] = {"tests.example/client": ""}
    client["spec"] |= {"restartPolicy": "Never", "nodeName": "real"}
    client["spec"]["containers"][0]["command"] = ["python3", "-c", LOOK_UP]
    made = kube.api.must("POST", "/api/v1/namespaces/default/pods", client)
    resolver = resolver_of(release, "real")

    def answered() -> float:
        _, text = running(release, resolver).get(9253, "/metrics")
        lines = [line for line in text.splitlines() if line.startswith("coredns_dns_requests_total")]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    before = answered()
    path = "/api/v1/namespaces/default/pods/client"
    phase = kube.until(lambda: release.object(path)["status"]["phase"] in ("Succeeded", "Failed"), "the client's end")
    assert phase
    output = running(release, made).container.output()
    assert release.object(path)["status"]["phase"] == "Succeeded", output
    assert output.split() == ["10.96.12.35"]
    assert answered() > before
    kube.api.must("DELETE", path)


def test_helm_test_passes_and_leaves_nothing(release: Release) -> None:
    before = objects(release.cluster.api).keys()
    assert "Phase:          Succeeded" in release.helm("test")
    release.cluster.until(lambda: objects(release.cluster.api).keys() <= before, "what the test made to go")


def test_during_an_upgrade_every_question_of_the_node_is_answered(release: Release) -> None:
    kube, before = release.cluster, resolver_of(release, "real")
    old = running(release, before)
    with asking(kube) as asked:
        release.upgrade({"resolver": {"podAnnotations": {"example.com/changed": "yes"}}})

        def rolled() -> bool:
            pods = [each for each in release.resolvers() if each["spec"].get("nodeName") == "real"]
            return len(pods) == 1 and pods[0]["metadata"]["uid"] != before["metadata"]["uid"]

        kube.until(rolled, "the new resolver alone on its node", 180.0)
        so_far = len(asked)
        kube.until(lambda: len(asked) > so_far + 10, "questions to the new one")
    assert asked.count(None) == 0, f"of {len(asked)}"
    assert "a successor answers, leaving" in old.container.output()


@pytest.mark.parametrize("way", ["--server-side=true", "--server-side=false"])
def test_an_upgrade_keeps_what_the_webhook_wrote(release: Release, way: str) -> None:
    def written() -> list[object]:
        webhooks = release.object(REGISTRATION)["webhooks"]
        return [release.object(SECRET)["data"], *(each["clientConfig"]["caBundle"] for each in webhooks)]

    before = written()
    release.upgrade({"webhook": {"podAnnotations": {"example.com/changed": way}}}, way, "--wait")
    assert written() == before
    created = release.cluster.api.create_pod("default", pod("asks", ASKS), "?dryRun=All")
    assert created.document["spec"]["dnsConfig"] == LEAN_DNS_CONFIG


def test_the_resolver_runs_with_the_rights_that_the_chart_gives_and_its_workers_with_none(release: Release) -> None:
    resolver = resolver_of(release, "real")
    assert resolver["spec"]["serviceAccountName"] == "nodelocaldns-resolver"
    assert not any("projected" in volume for volume in resolver["spec"]["volumes"]), "no token of the API server"
    assert running(release, resolver).get(9253, "/ready")[0] == 200


def test_webhooks_rights_are_these_and_no_others(release: Release) -> None:
    kube = release.cluster
    common = rights(kube, token(kube, "default", "default"), NAMESPACE)
    held = rights(kube, token(kube, NAMESPACE, "nodelocaldns-webhook"), NAMESPACE) - common
    registration = "mutatingwebhookconfigurations.admissionregistration.k8s.io/nodelocaldns-webhook"
    assert held == {
        ("secrets/nodelocaldns-webhook-ca", "get update"),
        ("leases.coordination.k8s.io/nodelocaldns-webhook", "get update"),
        (registration, "get patch"),
    }
    beside = rights(kube, token(kube, NAMESPACE, "nodelocaldns-webhook"), RESOLVERS) - common
    assert beside == {("services/kube-dns", "get list watch"), (registration, "get patch")}
    assert rights(kube, token(kube, NAMESPACE, "nodelocaldns-webhook"), "default") - common == {
        (registration, "get patch")
    }


def test_the_resolver_has_no_rights(release: Release) -> None:
    kube = release.cluster
    common = rights(kube, token(kube, "default", "default"), RESOLVERS)
    assert rights(kube, token(kube, RESOLVERS, "nodelocaldns-resolver"), RESOLVERS) == common


REFUSED = [
    ("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets"),
    ("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/sh.helm.release.v1.nodelocaldns.v1"),
    ("POST", f"/api/v1/namespaces/{NAMESPACE}/secrets"),
    ("DELETE", f"/api/v1/namespaces/{NAMESPACE}/secrets/nodelocaldns-webhook-ca"),
    ("GET", "/api/v1/secrets"),
    ("GET", f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"),
    ("GET", "/api/v1/pods"),
    ("POST", "/api/v1/namespaces/default/pods"),
    ("GET", "/api/v1/nodes"),
    ("GET", "/api/v1/services"),
    ("GET", "/api/v1/namespaces/kube-system/services"),
    ("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps/nodelocaldns-webhook"),
    ("GET", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"),
    ("DELETE", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/nodelocaldns-webhook"),
    ("PATCH", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/another"),
    ("PUT", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/nodelocaldns-webhook"),
    ("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/nodelocaldns-webhook/token"),
    ("PATCH", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/roles/nodelocaldns-webhook"),
    ("PATCH", f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/nodelocaldns-webhook"),
]


@pytest.mark.parametrize(("method", "path"), REFUSED)
def test_the_webhook_is_refused(release: Release, method: str, path: str) -> None:
    kube = release.cluster
    how = {"content_type": "application/merge-patch+json"} if method == "PATCH" else {}
    body: dict[str, str] | None = None if method in ("GET", "DELETE") else {}
    reply = kube.api.call(method, path, body, token=token(kube, NAMESPACE, "nodelocaldns-webhook"), **how)
    assert reply.status == 403, reply.document


def test_what_the_webhook_does_it_does_with_these_rights(release: Release) -> None:
    for each in (each for each in release.webhooks() if "deletionTimestamp" not in each["metadata"]):
        log = running(release, each).container.output()
        assert "forbidden" not in log
        assert running(release, each).get("metrics", "/readyz")[0] == 200


def token(kube: Cluster, namespace: str, account: str) -> str:
    """A token of the service account, as a pod's kubelet asks for it."""
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    made = kube.api.must("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", request)
    return str(made["status"]["token"])


def rights(kube: Cluster, bearer: str, namespace: str) -> set[tuple[str, str]]:
    """All that the bearer of a token may do in a namespace, in the API server's own words: (object, verbs)."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    rules = kube.api.must("POST", path, review, token=bearer)["status"]["resourceRules"]
    return {
        (f"{resource}.{group}".rstrip(".") + (f"/{name}" if name else ""), " ".join(sorted(rule["verbs"])))
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
    }
