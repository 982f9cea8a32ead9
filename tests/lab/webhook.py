"""The webhook as processes on loopback, and what stands between the API server and its replicas: a Service."""

import contextlib
import json
import os
import selectors
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import yaml

from tests.lab.apiserver import ApiServer, OnThisMachine
from tests.lab.loopback import REPOSITORY
from tests.lab.process import Process
from tests.lab.waiting import wait_until
from tests.network import free_port
from webhook.registration import registration
from webhook.values import Cluster

NAMES = Cluster(namespace="nodelocaldns", excluded_namespaces=("excluded", "kube-system"))
READY_SECONDS = 60.0


class Webhook:
    """One replica, in mode self unless `tls` says otherwise."""

    def __init__(self, api: ApiServer, folder: Path, name: str, topics: dict[str, dict[str, Any]]) -> None:
        self.port, self.admin = free_port(), free_port()
        self._config = folder / f"{name}.yaml"
        document: dict[str, dict[str, Any]] = {
            "listen": {"address": "127.0.0.1", "port": self.port, "drain": "1s"},
            "tls": {"mode": "self", "names": ["127.0.0.1"]},
            "admin": {"address": "127.0.0.1", "port": self.admin},
            "cluster": {"namespace": NAMES.own_namespace(), "excludedNamespaces": list(NAMES.excluded_namespaces)},
        }
        for topic, keys in topics.items():
            document[topic] = {**document.get(topic, {}), **keys}
        self._config.write_text(yaml.safe_dump(document))
        self.environment = {**os.environ, "KUBECONFIG": str(api.webhook_kubeconfig), "PYTHONPATH": str(REPOSITORY)}
        here: Any = OnThisMachine()
        command = [sys.executable, "-m", "webhook", "--config", str(self._config)]
        self.process = Process(here, command, folder / f"{name}.log", self.environment, REPOSITORY)

    def start(self) -> None:
        """Start it, and return when it answers; it may not be ready yet."""
        self.process.start(lambda: self.get("/healthz")[0] == 200)

    def wait_until_ready(self) -> None:
        """Return when it may be called."""
        wait_until(lambda: self.get("/readyz")[0] == 200, f"readiness; {self.process.log}", READY_SECONDS)

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page of the admin port; status 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """The sum over the samples of a metric that carry these labels."""
        from prometheus_client.parser import text_string_to_metric_families

        return sum(
            sample.value
            for family in text_string_to_metric_families(self.get("/metrics")[1])
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def decisions(self, **labels: str) -> float:
        """How many pods were decided on."""
        return self.metric("nodelocaldns_webhook_decisions_total", **labels)

    def log(self) -> list[dict[str, Any]]:
        """What it has logged."""
        return [json.loads(line) for line in self.process.output().splitlines() if line.startswith("{")]


def allow(api: ApiServer) -> None:
    """Give the webhook the rights of docs/webhook.md and no others."""
    own = [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        _on([""], "secrets", f"{NAMES.service}-ca", "get", "update"),
        _on(["coordination.k8s.io"], "leases", NAMES.service, "get", "update"),
    ]
    registrations = "mutatingwebhookconfigurations"
    api.allow("own", own, NAMES.own_namespace())
    api.allow("dns", [_on([""], "services", NAMES.dns_service, "list", "watch")], NAMES.dns_namespace)
    everywhere = [_on(["admissionregistration.k8s.io"], registrations, NAMES.webhook_configuration, "get", "patch")]
    api.allow("registration", everywhere)


def _on(groups: list[str], resource: str, name: str, *verbs: str) -> dict[str, Any]:
    return {"apiGroups": groups, "resources": [resource], "resourceNames": [name], "verbs": list(verbs)}


def register(api: ApiServer, port: int, ca_bundle: str = "", *, timeout_seconds: int = 30) -> None:
    """Tell the API server of a webhook at this port, as the chart does: without a caBundle, unless it is named. It
    waits so long for an answer, since a busy machine is no reason to let a pod through.
    """
    if ca_bundle:  # whoever had it before owns the field
        api.call(
            "DELETE",
            f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{NAMES.webhook_configuration}",
        )
    document = registration(NAMES, f"https://127.0.0.1:{port}", ca_bundle)
    for entry in document["webhooks"]:
        entry["timeoutSeconds"] = timeout_seconds
    api.apply(document)


def is_injected(pod: dict[str, Any]) -> bool:
    """Whether the pod asks the local resolver first."""
    return bool(
        pod["spec"].get("dnsPolicy") == "None" and pod["spec"]["dnsConfig"]["nameservers"][0] == "169.254.20.10"
    )


class ServiceAddress:
    """A Service: takes connections at one port and passes each to the next of its endpoints, as kube-proxy does.

    A connection stays with its endpoint for as long as it lasts, whatever becomes of `endpoints`.
    """

    def __init__(self) -> None:
        self.endpoints: list[int] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._turn = 0
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj.fileno() >= 0:  # type: ignore[union-attr]
                    self._pass_on(key.fileobj, key.data)  # type: ignore[arg-type]

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        endpoints = list(self.endpoints)
        self._turn += 1
        try:
            server = socket.create_connection(("127.0.0.1", endpoints[self._turn % len(endpoints)]))
        except (OSError, ZeroDivisionError):
            client.close()
            return
        self._selector.register(client, selectors.EVENT_READ, server)
        self._selector.register(server, selectors.EVENT_READ, client)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            data = source.recv(65536)
            target.sendall(data)
        except OSError:
            data = b""
        if not data:
            for end in (source, target):
                self._selector.unregister(end)
                end.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waker.send(b"x")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._waker.close()
        self._selector.close()


@contextlib.contextmanager
def webhooks(api: ApiServer, folder: Path, *names: str, **topics: dict[str, Any]) -> Iterator[list[Webhook]]:
    """Running replicas, not yet registered; killed at the end."""
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{NAMES.own_namespace()}/leases/{NAMES.service}"
    api.call("DELETE", lease)  # a test before this one may have killed its holder
    replicas = [Webhook(api, folder, name, topics) for name in names]
    try:
        for replica in replicas:
            replica.start()
        yield replicas
    finally:
        for replica in replicas:
            replica.process.kill()
