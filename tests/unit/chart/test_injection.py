"""The chart's objects for injection are those that the webhook prints."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charts import policies
from tests.lab.helm import Document, Values, one, render
from webhook.guard import guard
from webhook.policy import policy
from webhook.profile import Dns
from webhook.registration import registration
from webhook.values import Cluster

KINDS = ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")
GUARD_KINDS = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")

ADDRESSES = st.ip_addresses(v=4).map(str)
ADDRESSES_V6 = st.ip_addresses(v=6).map(str)
LABELS = st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True)
DNS = st.builds(
    Dns,
    ADDRESSES,
    st.tuples(ADDRESSES) | st.tuples(ADDRESSES, ADDRESSES_V6),
    st.lists(LABELS, min_size=1, max_size=3).map(".".join),
    st.integers(0, 15),
    st.integers(1, 30),
    st.integers(1, 5),
).filter(lambda dns: dns.local_address not in dns.cluster_dns)


def bare(document: Document) -> Document:
    """Without the labels that a chart gives everything."""
    labels = document["metadata"].pop("labels", {})
    kept = {key: value for key, value in labels.items() if key.startswith("admissions.")}
    return {**document, "metadata": document["metadata"] | ({"labels": kept} if kept else {})}


def of_kinds(documents: list[Document], *kinds: str) -> list[Document]:
    return [bare(each) for each in documents if each["kind"] in kinds]


def by_name(documents: list[Document]) -> dict[tuple[str, str], Document]:
    return {(each["kind"], each["metadata"]["name"]): each for each in documents}


def values_of(dns: Dns, **injection: Any) -> Values:
    addresses = dict(zip(("clusterDNS", "clusterDNSIPv6"), dns.cluster_dns, strict=False))
    return {
        "dns": {"localAddress": dns.local_address, "clusterDomain": dns.cluster_domain, **addresses},
        "injection": {"ndots": dns.ndots, "timeout": dns.timeout, "attempts": dns.attempts, **injection},
    }


@pytest.mark.parametrize("namespace", ["nodelocaldns", "kube-system", "apps"])
@pytest.mark.parametrize("excluded", [["kube-system", "kube-public", "kube-node-lease"], ["z", "a"], []])
def test_the_registration_is_the_one_that_is_printed(namespace: str, excluded: list[str]) -> None:
    documents = render({"injection": {"excludedNamespaces": excluded}}, namespace=namespace)
    printed = registration(Cluster(namespace=namespace, excluded_namespaces=tuple(excluded)))
    assert of_kinds(documents, "MutatingWebhookConfiguration") == [printed]


def test_another_release_has_a_registration_with_names_of_its_own() -> None:
    documents = render(name="second", namespace="dns")
    name = "second-nodelocaldns-webhook"
    cluster = Cluster(namespace="dns", service=name, webhook_configuration=name)
    assert of_kinds(documents, "MutatingWebhookConfiguration") == [registration(cluster)]
    assert one(documents, "Service", name)["spec"]["ports"][0]["port"] == 443


@settings(max_examples=15, deadline=None)
@given(DNS)
def test_policies_are_those_that_are_printed(dns: Dns) -> None:
    documents = render(values_of(dns, mode="policy"))
    printed = policy(dns, Cluster(namespace="nodelocaldns"))
    assert by_name(of_kinds(documents, *KINDS)) == by_name(printed)
    assert not of_kinds(documents, "MutatingWebhookConfiguration", "Deployment")


@pytest.mark.parametrize("mode", ["webhook", "none"])
def test_the_guard_is_the_one_that_is_printed_in_every_mode(mode: str) -> None:
    dns = Dns(local_address="169.254.25.10")
    documents = render(values_of(dns, mode=mode, guard={"enabled": True}, failurePolicy="Fail"))
    assert by_name(of_kinds(documents, *GUARD_KINDS)) == by_name(guard(dns, Cluster(namespace="nodelocaldns")))


def test_two_releases_have_policies_with_names_of_their_own() -> None:
    documents = render(values_of(Dns(cluster_dns=("10.96.0.10",)), mode="policy"), name="second")
    found = {each["metadata"]["name"] for each in of_kinds(documents, *KINDS)}
    assert found == {"second-nodelocaldns-pods", "second-nodelocaldns-namespaces"}
    assert {each["spec"]["policyName"] for each in of_kinds(documents, KINDS[1])} == found


def test_settings_reach_the_registration() -> None:
    documents = render({"injection": {"failurePolicy": "Fail", "timeoutSeconds": 5}})
    for entry in one(documents, "MutatingWebhookConfiguration")["webhooks"]:
        assert (entry["failurePolicy"], entry["timeoutSeconds"]) == ("Fail", 5)


def test_nothing_is_injected_without_injection() -> None:
    kinds = {each["kind"] for each in render({"injection": {"mode": "none"}, "tests": {"enabled": False}})}
    assert kinds == {"DaemonSet", "ConfigMap", "ServiceAccount", "Service"}


def test_an_expression_that_templates_would_misread_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "policy", lambda dns, cluster: [{"metadata": {}, "spec": {"text": "a {{ b"}}])
    with pytest.raises(ValueError, match="template"):
        policies.policy_template()
