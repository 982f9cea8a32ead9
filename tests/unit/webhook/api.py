"""An API server in a dict, for what is done with it; it can be away, and somebody else can be faster."""

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any

from webhook.cluster import Cluster, ClusterError

REGISTRATION = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/nodelocaldns-webhook"


class FakeCluster(Cluster):
    """Objects by path. `away` makes every call fail, `conflicts` that many writes."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.away = False
        self.conflicts = 0
        self.writes: list[str] = []
        self.events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.closed = False

    def register(self) -> None:
        entries = [{"name": name, "clientConfig": {"url": "https://x"}} for name in ("pods", "namespaces")]
        self.objects[REGISTRATION] = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "webhooks": entries,
        }

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        self._check()
        if path not in self.objects:
            raise ClusterError(404, path)
        return copy.deepcopy(self.objects[path])

    async def create(
        self, path: str, document: dict[str, Any], query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        return self._write(f"{path}/{document['metadata']['name']}", document)

    async def replace(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        return self._write(path, document)

    async def apply(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        merged = copy.deepcopy(self.objects[path])
        for entry, change in zip(merged["webhooks"], document["webhooks"], strict=True):
            entry["clientConfig"] |= change["clientConfig"]
        return self._write(path, merged)

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        while (event := await self.events.get()) is not None:
            yield event

    async def close(self) -> None:
        self.closed = True

    def _write(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        self._check()
        if self.conflicts:
            self.conflicts -= 1
            raise ClusterError(409, "somebody was faster")
        self.writes.append(path.rsplit("/", 1)[1])
        self.objects[path] = copy.deepcopy(document)
        return document

    def _check(self) -> None:
        if self.away:
            raise ClusterError(0, "nobody answers")
