"""The life of a release on a real API server with its controllers: install, upgrade, rollback, uninstall."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.cluster import NODES, Cluster
from tests.lab.objects import objects
from tests.lab.release import NAMESPACE, RESOLVERS, Release, install, installed, is_resolver, is_webhook, remove

pytestmark = [pytest.mark.e2e, pytest.mark.needs("go", "netns", "crun", "nft")]

LINUX = {name for name, (labels, _) in NODES.items() if labels.get("kubernetes.io/os") != "windows"}
DAEMONSET = f"/apis/apps/v1/namespaces/{RESOLVERS}/daemonsets/nodelocaldns-resolver"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/nodelocaldns-webhook"
REGISTRATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/nodelocaldns-webhook"


@pytest.fixture(scope="module")
def release(kube: Cluster) -> Iterator[Release]:
    """Installed with no values at all; its pods are only said to run."""
    with installed(kube, None, "--wait") as made:
        yield made


def nodes_of(pods: list[dict[str, Any]]) -> Counter[str]:
    """How many of the pods are on each node."""
    return Counter(pod["spec"]["nodeName"] for pod in pods if "nodeName" in pod["spec"])


def serving(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that run and are not being ended."""
    return [pod for pod in pods if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]]


def test_every_linux_node_has_a_resolver_whatever_its_taints_say(release: Release) -> None:
    assert nodes_of(release.resolvers()) == Counter(LINUX)
    status = release.object(DAEMONSET)["status"]
    assert (status["desiredNumberScheduled"], status["numberReady"]) == (len(LINUX), len(LINUX))


def test_the_webhook_has_two_pods_on_different_nodes_and_a_budget(release: Release) -> None:
    pods = release.webhooks()
    assert nodes_of(pods) == Counter(("real", "other"))
    budget = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets/nodelocaldns-webhook"
    release.cluster.until(lambda: release.object(budget)["status"].get("currentHealthy") == 2, "the budget's count")
    assert release.object(budget)["status"]["disruptionsAllowed"] == 1


def test_an_upgrade_rolls_resolvers_with_the_new_pod_beside_the_old(release: Release) -> None:
    kube, before = release.cluster, {pod["metadata"]["uid"] for pod in release.resolvers()}
    kube.kubelet.holds = lambda pod: is_resolver(pod) and pod["metadata"]["uid"] not in before
    release.upgrade({"resolver": {"podAnnotations": {"example.com/changed": "yes"}}})

    def both() -> bool:
        return max(nodes_of(release.resolvers()).values()) == 2

    kube.until(both, "a new pod that the scheduler puts on the node of an old one")
    for _ in range(10):
        kube.turn()
        assert {pod["metadata"]["uid"] for pod in serving(release.resolvers())} == before
        assert len(release.resolvers()) == len(before) + 1, "one node at a time"
    kube.kubelet.holds = lambda pod: False

    def rolled() -> bool:
        pods = release.resolvers()
        assert nodes_of(serving(pods)).keys() == LINUX, "every old one serves until its successor does"
        return len(pods) == len(before) and before.isdisjoint(pod["metadata"]["uid"] for pod in pods)

    kube.until(rolled, "the rollout")
    assert nodes_of(release.resolvers()) == Counter(LINUX)


def test_a_changed_setting_of_the_webhook_replaces_its_pods_without_a_gap(release: Release) -> None:
    kube, before = release.cluster, {pod["metadata"]["uid"] for pod in release.webhooks()}
    release.upgrade({"injection": {"ndots": 3}})

    def rolled() -> bool:
        pods = release.webhooks()
        assert len(serving(pods)) >= 2, "two serve at any time"
        return len(pods) == 2 and before.isdisjoint(pod["metadata"]["uid"] for pod in pods)

    kube.until(rolled, "the rollout of the webhook")


def test_a_rollback_brings_the_former_settings_back(release: Release) -> None:
    configmap = f"/api/v1/namespaces/{NAMESPACE}/configmaps/nodelocaldns-webhook"
    before = release.object(configmap)["data"]
    release.upgrade({"injection": {"ndots": 7}}, "--wait")
    assert release.object(configmap)["data"] != before
    release.helm("rollback", "--wait")
    assert release.object(configmap)["data"] == before
    assert nodes_of(release.resolvers()) == Counter(LINUX)
    release.cluster.until(lambda: len(release.webhooks()) == 2, "the former pods to go")


def test_the_same_upgrade_again_changes_nothing_that_runs(release: Release) -> None:
    values = {"dns": {"zones": {"cluster": {"maxTTL": 17}}}}
    release.upgrade(values, "--wait")
    before = release.object(DAEMONSET), release.object(DEPLOYMENT)
    release.upgrade(values, "--wait")
    after = release.object(DAEMONSET), release.object(DEPLOYMENT)
    assert [each["metadata"]["generation"] for each in before] == [each["metadata"]["generation"] for each in after]


@pytest.fixture
def without_release(release: Release) -> Iterator[Cluster]:
    """For a test that installs by itself: the module's release is away meanwhile."""
    remove(release.cluster)
    yield release.cluster
    release.cluster.kubelet.runs = lambda pod: False
    install(release.cluster)


def test_after_uninstall_nothing_is_left_of_what_chart_and_webhook_made(without_release: Cluster) -> None:
    kube = without_release
    kube.api.create_namespace(NAMESPACE)
    own = {f"configmaps {NAMESPACE}/kube-root-ca.crt", f"serviceaccounts {NAMESPACE}/default"}
    kube.until(lambda: own <= objects(kube.api).keys(), "the namespace's own objects")
    before = objects(kube.api)
    kube.kubelet.runs = is_webhook
    release = install(kube, None, "--wait")
    secret = f"/api/v1/namespaces/{NAMESPACE}/secrets/nodelocaldns-webhook-ca"
    kube.until(lambda: release.object(secret).get("data"), "a CA")
    bundles = [each["clientConfig"].get("caBundle") for each in release.object(REGISTRATION)["webhooks"]]
    assert all(bundles)
    during = objects(kube.api)
    assert len(during.keys() - before.keys()) > 20
    release.helm("uninstall", "--wait")
    kube.until(lambda: objects(kube.api).keys() <= before.keys(), "everything of the release to go")
    assert objects(kube.api) == before
