"""The process that watches the API server, and tells its supervisor in a few words what workers need to know.

It has the token, which workers, who read strangers' packets, never see; it runs as `node.user` and without capabilities
like them, and gets open files from its supervisor, so that nothing on the node has to be readable for that user. One
thread per watch; they wait nearly always. Answers do not wait for it: without it workers go on with what they know.
"""

import json
import logging
import os
import select
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock, Thread
from time import sleep
from typing import Any, Final, Protocol

from resolver.config import ServiceUpstream
from resolver.events import event
from resolver.kubernetes import pods
from resolver.kubernetes.changes import Batches, Kept
from resolver.kubernetes.endpoints import COLLECTION, SELECTOR, Endpoints
from resolver.kubernetes.http import Connection, Credentials, Place, Refused, credentials
from resolver.kubernetes.names import facts_of_service, facts_of_slice
from resolver.kubernetes.reflector import Consumer, Reflector
from resolver.kubernetes.streams import Unreadable
from resolver.kubernetes.wanted import Wanted

_log = logging.getLogger(__name__)

_FILE_BYTES = 256 * 1024
_ZONE_LABEL = "topology.kubernetes.io/zone"
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"


ALL: Final = (
    ("services", "/api/v1/services", facts_of_service),
    ("endpointslices", "/apis/discovery.k8s.io/v1/endpointslices", facts_of_slice),
)
"""What of the cluster makes names."""


class Channel(Protocol):
    """As `resolver.supervisor.channel.Channel`."""

    sock: Any

    @property
    def blocked(self) -> bool: ...
    def send(self, message: dict[str, Any]) -> None: ...
    def flush(self) -> None: ...
    def receive(self) -> tuple[dict[str, Any], list[int]] | None: ...


class Informer:
    """`run` ends with the process."""

    def __init__(self, given: Wanted, channel: Channel, *, again: bool = False) -> None:
        """`again`: there was another one before, and what has changed since that ended is not known."""
        self._given = given
        self._again = again
        self._channel = channel
        self._place = Place(given.host, given.port)
        self._known: Credentials | None = None
        self._zone = given.zone
        self._asked = bool(given.zone)
        self._lock = Lock()

    def run(self) -> int:
        """Begin to watch once there are credentials; the exit status, when the supervisor is gone."""
        poll = select.poll()
        poll.register(self._channel.sock, select.POLLIN)
        while True:
            poll.poll()
            try:
                while (received := self._channel.receive()) is not None:
                    self._heard(*received)
            except OSError:
                return 0

    def _heard(self, message: dict[str, Any], descriptors: Sequence[int]) -> None:
        if message.get("do") != "trust" or len(descriptors) != 2:
            return
        token, authorities = (_read(number) for number in descriptors)
        try:
            known = credentials(token, authorities)
        except (OSError, ValueError) as error:
            event(_log, logging.ERROR, "the credentials for the API server cannot be used", reason=str(error))
            return
        first, self._known = self._known is None, known
        if first:
            self._begin()

    def _begin(self) -> None:
        for service in self._given.services:
            name = str(service)
            endpoints = Endpoints(
                name, service.address, self._given.node, self._where, self._told, self._trouble,
                partial(self._address_of, service),
            )  # fmt: skip
            self._watch(COLLECTION.format(service.namespace), SELECTOR.format(service.name), endpoints, name)
        if self._given.pods:
            owners = pods.Pods(lambda owners: self._say({"is": "owners", "owners": owners}), self._trouble)
            self._watch(pods.COLLECTION, "", owners, pods.WHAT, pods.FIELDS.format(self._given.node))

        if self._given.freshness:
            batches = Batches(self._say, sleep)
            for what, path, facts in ALL:
                self._watch(path, "", Kept(what, facts, batches, self._trouble, unknown=self._again), what)
            self._begin_thread(batches.run, "tell changes")

    def _watch(self, path: str, selector: str, consumer: Consumer, name: str, fields: str = "") -> None:
        reflector = Reflector(self._place, self._trusted, path, selector, consumer, fields=fields)
        self._begin_thread(reflector.run, f"watch {name}")

    def _begin_thread(self, run: Callable[[], None], name: str) -> None:
        Thread(target=self._until_the_end, args=(run,), name=name, daemon=True).start()

    def _until_the_end(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException:  # noqa: BLE001 - with whatever it is, another process begins anew
            _log.exception("a watch failed")
            os._exit(1)

    def _trusted(self) -> Credentials:
        assert self._known is not None  # noqa: S101 - nothing is watched before
        return self._known

    def _told(self, told: dict[str, Any]) -> None:
        self._say({"is": "endpoints", **told})

    def _trouble(self, what: str, trouble: str) -> None:
        if trouble:
            event(_log, logging.WARNING, "the API server cannot be watched", what=what, reason=trouble)
        else:
            event(_log, logging.INFO, "watching", what=what)
        self._say({"is": "watch", "what": what, "ok": not trouble})

    def _say(self, message: dict[str, Any]) -> None:
        with self._lock:
            try:
                self._channel.send(message)
                while self._channel.blocked:
                    select.select([], [self._channel.sock], [])
                    self._channel.flush()
            except OSError:
                os._exit(0)  # the supervisor is gone

    def _where(self) -> str:
        """The node's zone, "" where it is not known; asked for once."""
        if not self._asked:
            try:
                metadata = self._get(f"/api/v1/nodes/{self._given.node}", _METADATA)["metadata"]
                self._zone = str((metadata.get("labels") or {}).get(_ZONE_LABEL, ""))
                self._asked = True
            except Refused as refusal:
                event(_log, logging.INFO, "this node's zone is not known", reason=str(refusal))
                self._asked = True
            except (OSError, ValueError, KeyError):
                pass  # the next change asks again
        return self._zone

    def _address_of(self, service: ServiceUpstream) -> str:
        spec = self._get(f"/api/v1/namespaces/{service.namespace}/services/{service.name}").get("spec") or {}
        address = str(spec.get("clusterIP") or "")
        return "" if address == "None" else address

    def _get(self, path: str, accept: str = "application/json") -> dict[str, Any]:
        connection = Connection(self._place, self._trusted())
        try:
            document = json.loads(b"".join(connection.get(path, accept=accept)))
        finally:
            connection.close()
        if not isinstance(document, dict):
            raise Unreadable("no object")
        return document


def _read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_FILE_BYTES)
