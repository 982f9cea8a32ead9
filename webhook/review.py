"""AdmissionReview v1: what the API server asks as a value, and an answer as the document that it reads. Pure.

Documents stay raw: only what the decision needs is looked at, and looked at suspiciously, so that fields of future
versions pass and a document that is no review raises BadReview with the place of the mistake, and nothing else.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"
PODS: Final = "v1/pods"
_NAMESPACE: Final = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


class BadReview(ValueError):
    """A body that is no AdmissionReview of version v1; the message says where."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question of the API server about one object. `annotations` and `spec` are parts of `pod`, as they came."""

    uid: str
    operation: str
    resource: str
    """Such as v1/pods; with a subresource, v1/pods/status."""
    namespace: str
    pod: Mapping[str, Any]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]
    by_namespace: bool = False
    """Whether the namespace opted in, as the API server's namespaceSelector found."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What goes back: an empty patch leaves the object alone. It is always allowed."""

    patch: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()
    audit: Mapping[str, str] = field(default_factory=dict)


def read_review(body: bytes, *, by_namespace: bool = False) -> Ask:
    """The question in `body`; raises BadReview, and nothing else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:  # also bytes that are not UTF-8
        raise BadReview(f"not JSON: {error}") from None
    review = _mapping(document, "the body")
    if (review.get("apiVersion"), review.get("kind")) != (API_VERSION, KIND):
        raise BadReview(f"expected {KIND} of {API_VERSION}")
    request = _mapping(review.get("request"), "request")
    return ask_of(request, by_namespace=by_namespace)


def ask_of(request: Mapping[str, Any], *, by_namespace: bool = False) -> Ask:
    """The question of the `request` of a review; raises BadReview."""
    uid = _text(request.get("uid"), "request.uid")
    if not uid:
        raise BadReview("request.uid is empty")
    operation = _text(request.get("operation"), "request.operation")
    pod = _mapping({} if operation == "DELETE" else request.get("object"), "request.object")
    metadata = _optional_mapping(pod.get("metadata"), "request.object.metadata")
    for part in ("metadata", "spec"):
        if operation == "CREATE" and pod.get(part) is None:
            raise BadReview(f"request.object.{part} is missing")
    resource = _resource(request)
    return Ask(
        uid=uid,
        operation=operation,
        resource=resource,
        namespace=_namespace(request.get("namespace", ""), may_be_empty=resource != PODS),
        pod=pod,
        annotations=_annotations(metadata.get("annotations")),
        spec=_spec(_optional_mapping(pod.get("spec"), "request.object.spec")),
        by_namespace=by_namespace,
    )


def write_review(uid: str, verdict: Verdict) -> bytes:
    """The body of the answer."""
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    if verdict.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(json.dumps(verdict.patch).encode()).decode()
    if verdict.warnings:
        response["warnings"] = list(verdict.warnings)
    if verdict.audit:
        response["auditAnnotations"] = dict(verdict.audit)
    return json.dumps({"apiVersion": API_VERSION, "kind": KIND, "response": response}).encode()


def _resource(request: Mapping[str, Any]) -> str:
    resource = _mapping(request.get("resource"), "request.resource")
    words = [_text(resource.get(part, ""), f"request.resource.{part}") for part in ("group", "version", "resource")]
    words.append(_text(request.get("subResource", ""), "request.subResource"))
    return "/".join(word for word in words if word)


def _namespace(value: object, *, may_be_empty: bool) -> str:
    """It becomes part of search domains, so what is no name of a namespace must not get that far."""
    name = _text(value, "request.namespace")
    if not (re.fullmatch(_NAMESPACE, name, re.ASCII) or (not name and may_be_empty)):
        raise BadReview("request.namespace is no name of a namespace")
    return name


def _annotations(value: object) -> Mapping[str, str]:
    annotations = _optional_mapping(value, "request.object.metadata.annotations")
    for key, text in annotations.items():
        _text(text, f"request.object.metadata.annotations[{key!r}]"[:200])
    return annotations


def _spec(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check the types of what the rules look at."""
    for name, check in (
        ("dnsPolicy", _optional_text),
        ("dnsConfig", _dns_config),
        ("nodeSelector", _optional_mapping),
        ("os", _optional_mapping),
    ):
        check(spec.get(name), f"request.object.spec.{name}")
    if not isinstance(spec.get("hostNetwork"), bool | None):
        raise BadReview("request.object.spec.hostNetwork is no boolean")
    return spec


def _dns_config(value: object, where: str) -> None:
    config = _optional_mapping(value, where)
    for name in ("nameservers", "searches", "options"):
        if not isinstance(config.get(name), list | None):
            raise BadReview(f"{where}.{name} is no list")


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise BadReview(f"{where} is no text")
    return value


def _optional_text(value: object, where: str) -> str:
    return "" if value is None else _text(value, where)


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadReview(f"{where} is no object")
    return value


def _optional_mapping(value: object, where: str) -> Mapping[str, Any]:
    return {} if value is None else _mapping(value, where)
