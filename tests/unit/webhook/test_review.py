import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases.injection import DNS
from tests.unit.webhook.admission import decided, patched, request, review
from webhook.decision import decide
from webhook.review import BadReview, read_review

ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
VALUES = st.sampled_from(
    ["true", "false", "lean", "compat", "3", "16", "a.example, b", "", "A", "windows", "x\n"]
) | st.text(max_size=9)
OUR_KEYS = [f"nodelocaldns.io/{key}" for key in ("inject", "profile", "ndots", "searches", "status")]
ANNOTATIONS = st.dictionaries(st.sampled_from([*OUR_KEYS, "kubernetes.io/config.mirror", "a/b"]), VALUES, max_size=5)
OPTION = st.fixed_dictionaries({"name": st.sampled_from(["ndots", "edns0"])}, optional={"value": st.just("1")})
DNS_CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "nameservers": st.lists(st.sampled_from(["169.254.20.10", "192.0.2.1"]), max_size=3),
        "searches": st.lists(st.just("a.example"), max_size=2),
        "options": st.lists(OPTION, max_size=2),
        "futureList": ANY,
    },
)
POLICIES = st.sampled_from(["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"])
PODS = st.builds(
    lambda metadata, spec, rest: {**rest, "metadata": metadata, "spec": spec},
    st.fixed_dictionaries({"futureMeta": ANY}, optional={"annotations": ANNOTATIONS, "generateName": st.just("web-")}),
    st.fixed_dictionaries(
        {"futureField": ANY, "containers": ANY},
        optional={"dnsPolicy": POLICIES, "dnsConfig": DNS_CONFIG, "hostNetwork": st.booleans()},
    ),
    st.dictionaries(st.sampled_from(["futureTop", "status"]), ANY, max_size=2),
)
NAMESPACES = st.sampled_from(["plain", "opted-in"])
OURS = ("dnsPolicy", "dnsConfig")


@given(PODS, NAMESPACES)
def test_deciding_twice_is_deciding_once(pod: dict[str, Any], namespace: str) -> None:
    once = patched(pod, decided(pod, namespace).verdict.patch)
    assert patched(once, decided(once, namespace).verdict.patch) == once


@given(PODS, NAMESPACES)
def test_fields_that_nobody_here_knows_survive(pod: dict[str, Any], namespace: str) -> None:
    after = patched(pod, decided(pod, namespace).verdict.patch)
    (after["metadata"].get("annotations") or {}).pop("nodelocaldns.io/status", None)
    (pod["metadata"].get("annotations") or {}).pop("nodelocaldns.io/status", None)
    for document in (pod, after):
        if not document["metadata"].get("annotations"):
            document["metadata"].pop("annotations", None)
        for field in OURS:
            document["spec"].pop(field, None)
    assert after == pod


@given(PODS, NAMESPACES)
def test_what_is_injected_passes_the_validation_of_kubernetes(pod: dict[str, Any], namespace: str) -> None:
    decision = decided(pod, namespace)
    if decision.verdict.patch:
        spec = patched(pod, decision.verdict.patch)["spec"]
        assert spec["dnsPolicy"] == "None"
        kubernetes_takes(spec["dnsConfig"])


def kubernetes_takes(config: dict[str, Any]) -> None:
    """ValidatePodDNSConfig of Kubernetes, in its strictest version."""
    import ipaddress
    import re

    assert 1 <= len(config["nameservers"]) <= 3
    for address in config["nameservers"]:
        assert str(ipaddress.ip_address(address)) == address
    assert len(config.get("searches", [])) <= 32
    assert len(" ".join(config.get("searches", []))) <= 2048
    label = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
    for search in config.get("searches", []):
        assert len(search) <= 254
        assert re.fullmatch(rf"{label}(\.{label})*", search.removesuffix("."))
    assert all(option["name"] for option in config["options"])


@given(st.binary(max_size=60))
def test_any_bytes_are_a_review_or_a_bad_review(body: bytes) -> None:
    with pytest.raises(BadReview):
        read_review(body)


@settings(max_examples=300)
@given(st.data())
def test_a_review_with_anything_in_it_is_decided_or_bad(data: st.DataObject) -> None:
    asked = request({"metadata": {"annotations": {"nodelocaldns.io/inject": "true"}}, "spec": {}})
    place = data.draw(st.sampled_from([
        "uid", "operation", "resource", "namespace", "object", "subResource", "dryRun",
        "object.metadata", "object.spec", "object.metadata.annotations", "object.spec.dnsConfig", "object.spec.os",
        "object.spec.dnsPolicy", "object.spec.nodeSelector", "object.spec.hostNetwork",
        "object.spec.dnsConfig.nameservers",
    ]))  # fmt: skip
    *parents, last = place.split(".")
    target = asked
    for step in parents:
        target = target.setdefault(step, {})
    target[last] = data.draw(ANY)
    body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": asked})
    try:
        decision = decide(read_review(body.encode()), DNS)
    except BadReview:
        return
    if decision.verdict.patch:
        after = patched(asked["object"], decision.verdict.patch)
        kubernetes_takes(after["spec"]["dnsConfig"])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "the body is no object"),
        (b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1"}', "expected AdmissionReview of"),
        (b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}', "request is no object"),
        (review({}, uid=7), "request.uid is no text"),
        (review({}, uid=""), "request.uid is empty"),
        (review({}), "request.object.metadata is missing"),
        (review({"metadata": [], "spec": {}}), "request.object.metadata is no object"),
        (review({"metadata": {"annotations": {"a": 1}}, "spec": {}}), "annotations['a'] is no text"),
        (review({"metadata": {}, "spec": {"dnsConfig": {"options": {}}}}), "dnsConfig.options is no list"),
        (review({"metadata": {}, "spec": {"hostNetwork": "yes"}}), "hostNetwork is no boolean"),
        (review({"metadata": {}, "spec": {}}, resource="pods"), "request.resource is no object"),
    ],
)
def test_a_bad_review_says_where(document: bytes, words: str) -> None:
    with pytest.raises(BadReview) as caught:
        read_review(document)
    assert words in str(caught.value)
