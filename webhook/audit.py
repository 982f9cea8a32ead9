"""`--audit`: running pods that ask for injection and do not have it, with the reason where it is known.

DNS settings of a pod never change, so these pods stay as they are until they are made again. The reason is what the
webhook would decide about the pod today; where it would inject, the pod is older than the webhook or the webhook was
away. `lacking` and `table` are pure; the pods come in pages.
"""

import copy
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from webhook import words
from webhook.cluster import Cluster
from webhook.profile import Dns
from webhook.review import Ask, BadReview, ask_of
from webhook.rules import Reason, dns_policy, first_nameserver, reason_to_skip
from webhook.values import Config

PAGE: Final = 500
NOT_CALLED: Final = "not-called"
"""The webhook would inject this pod: it is older than the webhook, or the webhook was away."""
_SILENT: Final = {Reason.OPTED_OUT, Reason.NOT_ASKED, Reason.MIRROR_POD, Reason.ALREADY_INJECTED}
_FINISHED: Final = {"Succeeded", "Failed"}


@dataclass(frozen=True, slots=True)
class Lacking:
    """One pod that asks and lacks."""

    namespace: str
    name: str
    reason: str


async def audit(cluster: Cluster, config: Config, namespace: str = "") -> list[Lacking]:
    """All of them, in one namespace or everywhere; raises ClusterError."""
    if namespace:
        documents = [await cluster.get(f"/api/v1/namespaces/{namespace}")]
    else:
        documents = [each async for each in _pages(cluster, "/api/v1/namespaces")]
    opted_in = {
        each["metadata"]["name"]
        for each in documents
        if (each["metadata"].get("labels") or {}).get(words.INJECT) == "true"
    }
    path = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
    excluded = {*config.cluster.excluded_namespaces, config.cluster.own_namespace()}
    pods = [pod async for pod in _pages(cluster, path)]
    return [found for pod in pods if (found := lacking(pod, config.dns, opted_in, excluded))]


def lacking(pod: Mapping[str, Any], dns: Dns, opted_in: Iterable[str], excluded: Iterable[str]) -> Lacking | None:
    """What to say about a pod, or None if it has what it asks for."""
    metadata = pod["metadata"]
    namespace = metadata["namespace"]
    if (pod.get("status") or {}).get("phase") in _FINISHED or namespace in set(excluded):
        return None
    try:
        ask = _as_created(pod, by_namespace=namespace in set(opted_in))
    except BadReview as problem:
        return Lacking(namespace, metadata["name"], str(problem))
    reason = reason_to_skip(ask, dns)
    if reason in _SILENT or (dns_policy(ask) == "None" and first_nameserver(ask) == dns.local_address):
        return None
    return Lacking(namespace, metadata["name"], reason.value if reason else NOT_CALLED)


def table(found: list[Lacking]) -> str:
    """For people: one line for each pod, below a heading."""
    rows = [("NAMESPACE", "POD", "REASON"), *((each.namespace, each.name, each.reason) for each in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "".join(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}\n" for row in rows)


def _as_created(pod: Mapping[str, Any], *, by_namespace: bool) -> Ask:
    request = {
        "uid": "audit",
        "operation": "CREATE",
        "resource": {"version": "v1", "resource": "pods"},
        "namespace": pod["metadata"]["namespace"],
        "object": copy.copy(pod),
    }
    return ask_of(request, by_namespace=by_namespace)


async def _pages(cluster: Cluster, path: str) -> AsyncIterator[dict[str, Any]]:
    query = {"limit": str(PAGE)}
    while True:
        page = await cluster.get(path, query)
        for item in page.get("items") or []:
            yield item
        following = (page.get("metadata") or {}).get("continue")
        if not following:
            return
        query = {"limit": str(PAGE), "continue": following}
