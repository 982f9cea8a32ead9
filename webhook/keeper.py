"""Mode self carried out: look at the cluster, do the one next step if this replica leads, serve the leaf that is due.

All replicas do the same in a loop of looks; `webhook.rotation` says what is next and `webhook.lease` who may write. An
API server that is away changes nothing: certificate and bundle hold, and the next look is soon. In mode files a keeper
only looks at the published caBundle, for /readyz.
"""

import asyncio
import base64
import binascii
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from resolver.events import event
from webhook.cluster import Cluster, ClusterError, Document
from webhook.lease import Candidate
from webhook.metrics import Metrics
from webhook.pki import new_leaf
from webhook.rotation import (
    Authorities,
    Authority,
    Publish,
    Timings,
    Wait,
    Write,
    from_text,
    next_step,
    signer,
    to_text,
)
from webhook.serving import Serving
from webhook.state import State

PART: Final = "API server"
AUTHORITIES: Final = "authorities.json"
_WEBHOOKS: Final = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"

_LOG = logging.getLogger("webhook.keeper")


@dataclass(frozen=True, slots=True)
class Names:
    """Where things are in the cluster, and the names in leaves (none: no certificates are made here)."""

    namespace: str
    secret: str
    lease: str
    registration: str
    leaf: tuple[str, ...] = ()


class Keeper:
    """One replica's part. `wall` tells the time that certificates are dated with."""

    def __init__(
        self,
        names: Names,
        timings: Timings,
        cluster: Cluster,
        candidate: Candidate,
        serving: Serving,
        state: State,
        metrics: Metrics,
        *,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._names = names
        self._timings = timings
        self._cluster = cluster
        self._candidate = candidate
        self._serving = serving
        self._state = state
        self._metrics = metrics
        self._wall = wall
        self._served: Authority | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            acted = await self.look()
            hurry = acted or (self._served is None and self._names.leaf)
            await asyncio.sleep(min(0.2, self._timings.check_seconds) if hurry else self._timings.check_seconds)

    async def look(self) -> bool:
        """Look once and do what is due; whether something was written."""
        try:
            acted = await self._look()
        except ClusterError as error:
            self._metrics.api_up.set(0)
            if self._state.trouble(PART, f"{error}; last known values hold", self._wall()):
                event(_LOG, logging.WARNING, "the cluster cannot be looked at", reason=str(error))
            return False
        self._metrics.api_up.set(1)
        if self._state.well(PART):
            event(_LOG, logging.INFO, "the cluster can be looked at again")
        return acted

    async def release(self) -> None:
        """Let another replica lead at once."""
        try:
            lease = await self._cluster.find(self._lease_path)
            if lease is not None and self._candidate.holds(lease):
                lease["spec"]["holderIdentity"] = ""
                await self._cluster.replace(self._lease_path, lease)
        except ClusterError as error:
            event(_LOG, logging.INFO, "the Lease could not be released, it will expire", reason=str(error))

    async def _look(self) -> bool:
        registration = await self._cluster.find(f"{_WEBHOOKS}/{self._names.registration}")
        self._state.published = bundles_of(registration)
        if not self._names.leaf:
            return False
        secret = await self._cluster.find(self._secret_path)
        authorities = authorities_of(secret)
        self._serve(signer(authorities, self._wall(), self._timings))
        if not await self._leads():
            return False
        step = next_step(authorities, self._state.published, self._wall(), self._timings)
        match step:
            case Write(authorities=after):
                await self._write(secret, after)
            case Publish(bundle=bundle):
                await self._publish(registration or {}, bundle)
        return not isinstance(step, Wait)

    def _serve(self, authority: Authority | None) -> None:
        if authority is None or (self._served and self._served.pair == authority.pair):
            return
        self._serving.replace(new_leaf(authority.pair, self._names.leaf, self._wall()))
        self._served = authority
        self._metrics.certificate(self._serving.not_after)
        event(_LOG, logging.INFO, "a certificate was taken into use", until=str(self._serving.not_after))

    async def _leads(self) -> bool:
        lease = await self._cluster.find(self._lease_path)
        spec = self._candidate.claim(lease, time.monotonic(), self._wall())
        if spec is None:
            return False
        try:
            if lease is None:
                await self._cluster.create(
                    self._collection("leases"), _object("coordination.k8s.io/v1", "Lease", self._names.lease, spec=spec)
                )
            else:
                await self._cluster.replace(self._lease_path, {**lease, "spec": spec})
        except ClusterError as error:
            if error.status == 409:  # somebody was faster
                return False
            raise
        return True

    async def _write(self, secret: Document | None, authorities: Authorities) -> None:
        data = {AUTHORITIES: base64.b64encode(to_text(authorities).encode()).decode()}
        try:
            if secret is None:
                await self._cluster.create(
                    self._collection("secrets"), _object("v1", "Secret", self._names.secret, type="Opaque", data=data)
                )
            else:
                await self._cluster.replace(self._secret_path, {**secret, "data": data})
        except ClusterError as error:
            if error.status != 409:
                raise
            return
        event(_LOG, logging.INFO, "the CAs in the Secret were changed", cas=len(authorities))

    async def _publish(self, registration: Mapping[str, Any], bundle: str) -> None:
        encoded = base64.b64encode(bundle.encode()).decode()
        entries = [{"name": each["name"], "clientConfig": {"caBundle": encoded}} for each in registration["webhooks"]]
        document = _object(registration["apiVersion"], registration["kind"], self._names.registration, webhooks=entries)
        await self._cluster.apply(f"{_WEBHOOKS}/{self._names.registration}", document)
        event(_LOG, logging.INFO, "caBundle was published", certificates=bundle.count("BEGIN"))

    def _collection(self, kind: str) -> str:
        group = "apis/coordination.k8s.io/v1" if kind == "leases" else "api/v1"
        return f"/{group}/namespaces/{self._names.namespace}/{kind}"

    @property
    def _secret_path(self) -> str:
        return f"{self._collection('secrets')}/{self._names.secret}"

    @property
    def _lease_path(self) -> str:
        return f"{self._collection('leases')}/{self._names.lease}"


def bundles_of(registration: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The caBundle of each entry in PEM, "" where it is missing or no base64."""
    return tuple(
        _decoded(str((entry.get("clientConfig") or {}).get("caBundle") or ""))
        for entry in (registration or {}).get("webhooks") or []
    )


def authorities_of(secret: Mapping[str, Any] | None) -> Authorities:
    """The CAs in a Secret; none where it is missing, empty or damaged."""
    try:
        return from_text(_decoded(str(((secret or {}).get("data") or {}).get(AUTHORITIES) or "")))
    except ValueError:
        return ()


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _object(version: str, kind: str, name: str, **rest: Any) -> Document:  # noqa: ANN401 - parts of a raw document
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **rest}
