"""How the API server is told about the webhook: the MutatingWebhookConfiguration as a document. Pure.

Two entries, because a CEL match condition sees the pod but not its namespace, and a namespaceSelector sees
labels but not the pod's annotations. The first entry is for pods that ask themselves; the second selects namespaces
that opted in and has a path of its own, which tells the webhook so: a review carries no labels of the namespace, and
asking for them would be a call per pod. The selectors exclude each other, so a pod causes one call at most, and none
without the annotation or the label. Policies are halved in the same way.
"""

from typing import Any, Final

from webhook import words
from webhook.values import Cluster

TIMEOUT_SECONDS: Final = 2
"""What a pod's creation waits at most, should the webhook hang."""
POD_ENTRY: Final = "pods.nodelocaldns.io"
NAMESPACE_ENTRY: Final = "namespaces.nodelocaldns.io"


def registration(cluster: Cluster, url: str = "", ca_bundle: str = "") -> dict[str, Any]:
    """The document. With `url` (https://host:port) the API server calls there and not the Service.

    `ca_bundle` is base64; without it the webhook's own field manager fills it in.
    """
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {
            "name": cluster.webhook_configuration,
            "labels": {"admissions.enforcer/disabled": "true"},  # AKS would rewrite the namespaceSelector
        },
        "webhooks": [
            _entry(
                POD_ENTRY,
                _client(cluster, url, words.MUTATE_PATH, ca_bundle),
                namespaces(cluster, opted_in=False),
                {"name": "asked", "expression": _annotation_is("true")},
            ),
            _entry(
                NAMESPACE_ENTRY,
                _client(cluster, url, words.MUTATE_NAMESPACE_PATH, ca_bundle),
                namespaces(cluster, opted_in=True),
                {"name": "not-opted-out", "expression": f"!({_annotation_is('false')})"},
            ),
        ],
    }


def namespaces(cluster: Cluster, *, opted_in: bool) -> dict[str, Any]:
    """The namespaceSelector for those that opted in, or for all others; without those that are excluded."""
    names = sorted({*cluster.excluded_namespaces, cluster.own_namespace()})
    return {
        "matchExpressions": [
            {"key": words.NAMESPACE_NAME, "operator": "NotIn", "values": names},
            {"key": words.INJECT, "operator": "In" if opted_in else "NotIn", "values": ["true"]},
        ]
    }


def _entry(name: str, client: dict[str, Any], namespaces: dict[str, Any], condition: dict[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "clientConfig": client,
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
                "scope": "Namespaced",
            }
        ],
        "namespaceSelector": namespaces,
        "matchConditions": [condition],
        "matchPolicy": "Equivalent",
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "reinvocationPolicy": "IfNeeded",
        "timeoutSeconds": TIMEOUT_SECONDS,
        "admissionReviewVersions": ["v1"],
    }


def _client(cluster: Cluster, url: str, path: str, ca_bundle: str) -> dict[str, Any]:
    bundle = {"caBundle": ca_bundle} if ca_bundle else {}
    if url:
        return {"url": url + path} | bundle
    service = {"namespace": cluster.own_namespace(), "name": cluster.service, "path": path, "port": 443}
    return {"service": service} | bundle


def _annotation_is(value: str) -> str:
    """CEL without optional types, which webhooks know from Kubernetes 1.29 on."""
    annotations = "object.metadata.annotations"
    key = repr(words.INJECT)
    return f"has({annotations}) && {key} in {annotations} && {annotations}[{key}] == {value!r}"
