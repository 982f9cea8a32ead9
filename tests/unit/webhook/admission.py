"""What the tests of the webhook share: reviews as an API server writes them, and what it does with a patch."""

import copy
import json
from typing import Any

from tests.cases.injection import DNS
from webhook.decision import Decision, decide
from webhook.profile import Dns
from webhook.review import Ask, ask_of, read_review, write_review

EXCLUDED = frozenset({"excluded"})


def request(pod: dict[str, Any], namespace: str = "plain", **fields: Any) -> dict[str, Any]:
    """The request of a review for a pod that is being created."""
    return {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "name": "",
        "namespace": namespace,
        "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
        "object": pod,
        "oldObject": None,
        "dryRun": False,
    } | fields


def review(pod: dict[str, Any], namespace: str = "plain", **fields: Any) -> bytes:
    document = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    return json.dumps({**document, "request": request(pod, namespace, **fields)}).encode()


def ask(pod: dict[str, Any], namespace: str = "plain", *, by_namespace: bool = False, **fields: Any) -> Ask:
    return ask_of(request(pod, namespace, **fields), by_namespace=by_namespace)


def decided(pod: dict[str, Any], namespace: str = "plain", dns: Dns = DNS) -> Decision:
    return decide(ask(pod, namespace, by_namespace=namespace == "opted-in"), dns, EXCLUDED)


def response(body: bytes, dns: Dns = DNS, **how: Any) -> dict[str, Any]:
    """The response to a body, by way of what goes over the wire."""
    asked = read_review(body, **how)
    answer = json.loads(write_review(asked.uid, decide(asked, dns).verdict))
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    return answer["response"]  # type: ignore[no-any-return]


def patched(pod: dict[str, Any], patch: Any) -> dict[str, Any]:
    """The pod after a JSON Patch that only adds to objects (RFC 6902, section 4.1)."""
    result = copy.deepcopy(pod)
    for operation in patch:
        assert set(operation) == {"op", "path", "value"}
        assert operation["op"] == "add"
        *parents, last = [
            step.replace("~1", "/").replace("~0", "~") for step in operation["path"].removeprefix("/").split("/")
        ]
        target = result
        for step in parents:
            target = target[step]
        assert isinstance(target, dict)
        target[last] = operation["value"]
    return result
