"""`--trial`: does node-local DNS work for a pod like this one? What `helm test` runs, in a pod that asks the resolver.

Names are looked up as every program does it, through libc. A pod with the annotation is created as a dry run, which
admission changes like any other and nobody stores, and has to come back with the DNS settings of the configuration.
What fails is tried again until the patience ends: an installation of a minute ago may still be starting.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from webhook import words
from webhook.cluster import Cluster, ClusterError
from webhook.profile import Dns, Wishes, dns_config
from webhook.values import Config

PATIENCE_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 1.0
_NOT_THERE: Final = {socket.EAI_NONAME, socket.EAI_NODATA}

Check = Callable[[], Awaitable[str]]


class TrialError(Exception):
    """What was found instead of what was expected, in words."""


async def trial(
    config: Config, cluster: Cluster | None, namespace: str, patience_seconds: float
) -> tuple[bool, list[str]]:
    """Whether everything works, and a line for each check; without a cluster only names are looked up."""
    checks: list[tuple[str, Check]] = list(_lookups(config.dns))
    if cluster is not None:
        checks.append(("a pod with the annotation", lambda: _injected(cluster, config.dns, namespace)))
    until = time.monotonic() + patience_seconds
    found = [await _patiently(what, check, until) for what, check in checks]
    return all(good for good, _ in found), [line for _, line in found]


def pod(namespace: str) -> dict[str, Any]:
    """The smallest pod that opts in, such as every admission lets through."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "trial-", "namespace": namespace, "annotations": {words.INJECT: "true"}},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "trial",
                    "image": "registry.invalid/never-started",
                    "resources": {"limits": {"cpu": "1m", "memory": "1Mi"}},
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }


def differences(created: dict[str, Any], dns: Dns, namespace: str) -> list[str]:
    """What of a created pod's DNS settings is not as configured, in words."""
    spec = created.get("spec") or {}
    expected = dns_config(dns, Wishes(), namespace)
    found = spec.get("dnsConfig") or {}
    if (
        not dns.cluster_dns
    ):  # discovered by the webhook: which ones they are is not known here, only that there are some
        expected["nameservers"] += (found.get("nameservers") or ["(the cluster's DNS)"])[1:] or ["(the cluster's DNS)"]
    pairs = [("dnsPolicy", "None", spec.get("dnsPolicy"))]
    pairs += [(f"dnsConfig.{key}", value, found.get(key)) for key, value in expected.items()]
    return [f"{key} is {got!r}, expected {wanted!r}" for key, wanted, got in pairs if got != wanted]


def _lookups(dns: Dns) -> Iterator[tuple[str, Check]]:
    there = f"kubernetes.default.svc.{dns.cluster_domain}"
    missing = f"no-such-service.default.svc.{dns.cluster_domain}"
    yield there, lambda: _is_there(there)
    yield missing, lambda: _is_missing(missing)


async def _patiently(what: str, check: Check, until: float) -> tuple[bool, str]:
    while True:
        try:
            return True, f"ok      {what}: {await check()}"
        except (TrialError, ClusterError) as error:
            if time.monotonic() >= until:
                return False, f"FAILED  {what}: {error}"
        await asyncio.sleep(_PAUSE_SECONDS)


async def _is_there(name: str) -> str:
    try:
        found = await _addresses(name)
    except socket.gaierror as error:
        raise TrialError(f"cannot be looked up: {error.strerror}") from None
    return ", ".join(found)


async def _is_missing(name: str) -> str:
    try:
        found = await _addresses(name)
    except socket.gaierror as error:
        if error.errno in _NOT_THERE:
            return "there is no such name, as it should be"
        raise TrialError(f"cannot be looked up: {error.strerror}") from None
    raise TrialError(f"should not be there, and is {', '.join(found)}")


async def _addresses(name: str) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(f"{name}.", None, type=socket.SOCK_STREAM)
    return sorted({str(address[0]) for *_, address in found})


async def _injected(cluster: Cluster, dns: Dns, namespace: str) -> str:
    path = f"/api/v1/namespaces/{namespace}/pods"
    created = await cluster.create(path, pod(namespace), {"dryRun": "All"})
    wrong = differences(created, dns, namespace)
    if wrong:
        raise TrialError("was created, but " + "; ".join(wrong))
    return f"comes back with the nameservers {', '.join(created['spec']['dnsConfig']['nameservers'])}"
