"""The API server as the webhook uses it: raw documents by path. The only importer of kubernetes_asyncio.

That library knows where a pod's credentials are and renews them; its typed models are left alone, because what is
written back must keep fields it has never heard of. Every call has a deadline. One exception comes out: ClusterError.
"""

import json
import os
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

CALL_SECONDS: Final = 5.0
WATCH_SECONDS: Final = 300
"""After which a watch is made anew, so that one that died without a word is not believed for long."""
FIELD_MANAGER: Final = "nodelocaldns-webhook"
APPLY: Final = "application/apply-patch+yaml"

Document = dict[str, Any]


class ClusterError(Exception):
    """A call that failed; `status` is the HTTP status, 0 where there was no answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def is_reachable() -> bool:
    """Whether this process has been told of an API server: as a pod, or by KUBECONFIG."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST") or os.environ.get("KUBECONFIG"))


class Cluster:
    """One API server."""

    def __init__(self, client: "ApiClient") -> None:
        self._client = client

    @classmethod
    async def connect(cls) -> Self:
        """With KUBECONFIG where it is set, otherwise with the pod's service account; ClusterError if neither works."""
        from kubernetes_asyncio import config  # noqa: PLC0415 - 45 MiB that mode files may do without
        from kubernetes_asyncio.client import ApiClient, Configuration  # noqa: PLC0415

        settings = Configuration()
        try:
            if path := os.environ.get("KUBECONFIG"):
                await config.load_kube_config(path, client_configuration=settings)
            else:
                config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        except (config.ConfigException, OSError) as error:
            raise ClusterError(0, f"no credentials for the API server: {error}") from None
        return cls(ApiClient(settings))

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Document:
        """The document at `path`."""
        return await self._call("GET", path, query or {})

    async def find(self, path: str) -> Document | None:
        """The document at `path`, or None if there is none."""
        try:
            return await self.get(path)
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    async def create(self, path: str, document: Document, query: Mapping[str, str] | None = None) -> Document:
        """Create an object in the collection at `path`; with the query dryRun=All nothing is stored."""
        return await self._call("POST", path, query or {}, document)

    async def replace(self, path: str, document: Document) -> Document:
        """Replace an object; with the resourceVersion that was read, ClusterError 409 if somebody was faster."""
        return await self._call("PUT", path, {}, document)

    async def apply(self, path: str, document: Document) -> Document:
        """Server-side apply: own the fields of `document` and no others."""
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return await self._call("PATCH", path, query, document, APPLY)

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Document]:
        """The events after query["resourceVersion"], until the watch ends; ClusterError when it breaks."""
        query = {**query, "watch": "true", "timeoutSeconds": str(WATCH_SECONDS), "allowWatchBookmarks": "true"}
        limits = aiohttp.ClientTimeout(sock_connect=CALL_SECONDS, sock_read=WATCH_SECONDS + 30)
        response = await self._send("GET", path, query, None, "application/json", limits)
        try:
            async for line in response.content:
                document = json.loads(line)
                if document.get("type") == "ERROR":
                    status = document.get("object") or {}
                    raise ClusterError(int(status.get("code") or 0), str(status.get("message")))
                yield document
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ClusterError(0, _words(error)) from None
        finally:
            response.close()

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        document: Document | None = None,
        content_type: str = "application/json",
    ) -> Document:
        limits = aiohttp.ClientTimeout(total=CALL_SECONDS)
        response = await self._send(method, path, query, document, content_type, limits)
        try:
            result = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ClusterError(0, _words(error)) from None
        finally:
            response.release()
        return result if isinstance(result, dict) else {}

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        document: Document | None,
        content_type: str,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        try:
            response: aiohttp.ClientResponse = await self._client.call_api(
                path,
                method,
                query_params=list(query.items()),
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=document,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=limits,
            )
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise ClusterError(0, _words(error)) from None
        if response.status >= 400:
            text = await _reason(response)
            response.release()
            raise ClusterError(response.status, f"{method} {path}: {text}")
        return response


async def _reason(response: aiohttp.ClientResponse) -> str:
    try:
        return str((await response.json())["message"])
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError):
        return f"status {response.status}"


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
