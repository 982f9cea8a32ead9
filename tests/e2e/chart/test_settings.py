"""Values given to the real helm: modes other than the default, and wrong ones, which the message names."""

from typing import Any

import pytest

from tests.lab.cluster import Cluster
from tests.lab.objects import objects
from tests.lab.release import CHART, NAME, NAMESPACE, installed
from tests.lab.webhook import is_injected

pytestmark = [pytest.mark.e2e, pytest.mark.needs("go", "netns", "crun", "nft")]

KINDS = ("secrets", "services")
ASKS = {"nodelocaldns.io/inject": "true"}


def pod(name: str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    """A pod as people write it."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"containers": [{"name": "main", "image": "example.com/main"}]},
    }


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("dns.localAddress", "169.254.20"),
        ("dns.clusterDNS", "kube-dns"),
        ("dns.clusterDomain", "cluster local"),
        ("injection.mode", "webhooks"),
        ("injection.ndots", 16),
        ("resolver.mode", "link-local"),
        ("webhook.tls.caLifetime", "a year"),
        ("webhook.replicas", "two"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name(kube: Cluster, key: str, wrong: object) -> None:
    values: Any = wrong
    for word in reversed(key.split(".")):
        values = {word: values}
    assert f"/{key.replace('.', '/')}'" in refused(kube, values)


def test_an_unknown_key_is_refused_with_its_name(kube: Cluster) -> None:
    assert "'webhok'" in refused(kube, {"webhok": {"replicas": 3}})


def refused(kube: Cluster, values: Any) -> str:
    """What helm says to values with which it installs nothing."""
    done = kube.helm("install", NAME, str(CHART), "--namespace", NAMESPACE, "--create-namespace", values=values)
    assert done.returncode != 0
    assert not any(kube.api.must("GET", f"/api/v1/namespaces/{NAMESPACE}/{kind}")["items"] for kind in KINDS)
    return done.stderr


def test_policies_inject_without_a_webhook(kube: Cluster) -> None:
    values = {"injection": {"mode": "policy"}, "dns": {"clusterDNS": "10.96.0.10"}}
    with installed(kube, values) as release:
        assert not release.webhooks()
        assert not release.object("/apis/apps/v1/deployments")["items"]
        kube.until(
            lambda: is_injected(kube.api.create_pod("default", pod("asks", ASKS), "?dryRun=All").document), "the policy"
        )
        assert not is_injected(kube.api.create_pod("default", pod("plain"), "?dryRun=All").document)


def test_without_injection_there_is_a_resolver_and_nothing_else(kube: Cluster) -> None:
    before = objects(kube.api).keys()
    with installed(kube, {"injection": {"mode": "none"}}) as release:
        made = {each.partition(" ")[0] for each in objects(kube.api).keys() - before}
        assert not {each for each in made if "admissionregistration" in each or "rbac" in each or "apps" in each} - {
            "daemonsets.apps",
            "controllerrevisions.apps",
        }
        kube.until(lambda: len(release.resolvers()) == 5, "resolvers")
        assert not is_injected(kube.api.create_pod("default", pod("asks", ASKS), "?dryRun=All").document)
