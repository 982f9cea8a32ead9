"""The addresses of the cluster's DNS, watched: nameservers of pods where the configuration names none.

One list, then a watch, over and over. While the API server is away the last addresses hold, and /readyz says since
when. A Service that is gone keeps its last addresses, too: pods with them fail no worse than without.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Final

from resolver.events import event
from webhook import values
from webhook.cluster import Cluster, ClusterError
from webhook.profile import MOST_NAMESERVERS
from webhook.state import State

PAUSE_SECONDS: Final = 1.0
"""Between the end of a watch and the next."""
PART: Final = "cluster DNS watch"

_LOG = logging.getLogger("webhook.discovery")


class Discovery:
    """Keeps `state.dns` up to date."""

    def __init__(self, state: State, names: values.Cluster, cluster: Cluster) -> None:
        self._state = state
        self._cluster = cluster
        self._name = f"{names.dns_namespace}/{names.dns_service}"
        self._path = f"/api/v1/namespaces/{names.dns_namespace}/services"
        self._query = {"fieldSelector": f"metadata.name={names.dns_service}"}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._follow()
            except ClusterError as error:
                if self._state.trouble(
                    PART, f"the API server is away ({error}), last known addresses", datetime.now(UTC)
                ):
                    event(_LOG, logging.WARNING, "the cluster's DNS cannot be watched", reason=str(error))
            await asyncio.sleep(PAUSE_SECONDS)

    async def _follow(self) -> None:
        found = await self._cluster.get(self._path, self._query)
        if self._state.well(PART):
            event(_LOG, logging.INFO, "the cluster's DNS is watched again")
        services = found.get("items") or []
        if not services and self._state.trouble(PART, f"Service {self._name} does not exist", datetime.now(UTC)):
            event(_LOG, logging.WARNING, "the Service of the cluster's DNS does not exist", service=self._name)
        for service in services:
            self._take(service)
        version = str((found.get("metadata") or {}).get("resourceVersion", ""))
        async for change in self._cluster.watch(self._path, {**self._query, "resourceVersion": version}):
            if change.get("type") in {"ADDED", "MODIFIED"}:
                self._state.well(PART)
                self._take(change["object"])

    def _take(self, service: Mapping[str, Any]) -> None:
        addresses = addresses_of(service)
        if addresses and addresses != self._state.dns.cluster_dns:
            self._state.dns = replace(self._state.dns, cluster_dns=addresses)
            event(_LOG, logging.INFO, "the cluster's DNS was found", addresses=" ".join(addresses))


def addresses_of(service: Mapping[str, Any]) -> tuple[str, ...]:
    """The cluster IPs of a Service in canonical form, at most what a pod has room for; none if it is headless."""
    spec = service.get("spec") or {}
    listed = spec.get("clusterIPs") or [spec.get("clusterIP")]
    found = []
    for text in listed:
        try:
            found.append(str(ip_address(text)))
        except ValueError:
            continue
    return tuple(found[: MOST_NAMESERVERS - 1])
