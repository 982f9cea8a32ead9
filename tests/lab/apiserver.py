"""A real API server with its etcd on loopback: a cluster without nodes, in which pods are created and read back.

Programs come from KUBEBUILDER_ASSETS where it is set, as tools of the ecosystem have it, otherwise from the pins in
tests/servers. The tests talk to it as an administrator, in plain documents, over connections that are kept.
"""

import contextlib
import functools
import http.client
import json
import os
import secrets
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import servers
from tests.lab.apifiles import WEBHOOK_USER, write_kubeconfig, write_rights
from tests.lab.apikeys import write_keys
from tests.lab.netns import ENVIRONMENT, Namespace
from tests.lab.process import Process
from tests.lab.waiting import wait_until
from tests.network import free_port

DNS_ADDRESS = "10.96.0.10"
SERVICE_RANGE = "10.96.0.0/16"
START_SECONDS = 120.0
CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError)
"""What it means to send on a kept connection that the server has closed meanwhile."""
LAVISH = {**ENVIRONMENT, "GOGC": "400"}
"""Go's programs clear up later: a fifth of the processor time that a start takes, for 100 MiB."""
RBAC = "rbac.authorization.k8s.io/v1"


class OnThisMachine:
    """Stands in for a namespace where none is needed."""

    name = "host"

    def command(self, *command: str) -> list[str]:
        return ["setpriv", "--pdeathsig", "KILL", "--", *command]

    def entered(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


class _Connection(http.client.HTTPSConnection):
    """One whose socket is opened where the API server is."""

    def __init__(self, place: Namespace, port: int, context: ssl.SSLContext) -> None:
        super().__init__("127.0.0.1", port, timeout=90, context=context)
        self._place = place

    def connect(self) -> None:
        with self._place.entered():
            super().connect()


@dataclass
class Reply:
    """What the API server said."""

    status: int
    document: dict[str, Any]
    warnings: list[str]


class ApiServer:
    """etcd and kube-apiserver with their files in `folder`."""

    def __init__(
        self,
        folder: Path,
        kube_apiserver: Path,
        etcd: Path,
        flags: Mapping[str, object] | None = None,
        place: Namespace | None = None,
    ) -> None:
        """In `place`, or with the machine's own loopback; `flags` instead of and beside those written here."""
        here: Any = place or OnThisMachine()
        self.folder, self._place = folder, here
        self.port, etcd_port, peer_port = free_port(), free_port(), free_port()
        self._etcd_url = f"http://127.0.0.1:{etcd_port}"
        self._local = threading.local()
        self._connections: list[http.client.HTTPSConnection] = []
        self.token, self.webhook_token = secrets.token_hex(16), secrets.token_hex(16)
        peers = f"http://127.0.0.1:{peer_port}"
        etcd_flags = {
            "data-dir": folder / "etcd",
            "listen-client-urls": self._etcd_url,
            "advertise-client-urls": self._etcd_url,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
            "unsafe-no-fsync": "true",
            "log-level": "warn",
        }
        self.etcd = Process(here, [str(etcd), *_flags(etcd_flags)], folder / "etcd.log", LAVISH)
        write_keys(folder)
        write_rights(folder, self.token, self.webhook_token)
        for path, token in ((self.kubeconfig, self.token), (self.webhook_kubeconfig, self.webhook_token)):
            write_kubeconfig(path, self.port, token)
        command = [str(kube_apiserver), *_flags({**self._api_flags(), **(flags or {})})]
        self.api = Process(here, command, folder / "apiserver.log", LAVISH)

    def _api_flags(self) -> dict[str, object]:
        return {
            "etcd-servers": self._etcd_url,
            "cert-dir": self.folder,
            "bind-address": "127.0.0.1",
            "advertise-address": "192.0.2.1",  # otherwise it wants a default route, and there may be none
            "secure-port": self.port,
            "service-cluster-ip-range": SERVICE_RANGE,
            "authorization-mode": "RBAC",
            "disable-admission-plugins": "ServiceAccount",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": self.folder / "sa.pub",
            "service-account-signing-key-file": self.folder / "sa.key",
            "token-auth-file": self.folder / "tokens.csv",
            "endpoint-reconciler-type": "none",
            "tls-cert-file": self.folder / "server.crt",
            "tls-private-key-file": self.folder / "server.key",
            "audit-log-path": self.folder / "audit.log",
            "audit-policy-file": self.folder / "audit.yaml",
        }

    @property
    def kubeconfig(self) -> Path:
        """For programs that are given one: an administrator's."""
        return self.folder / "kubeconfig"

    @property
    def webhook_kubeconfig(self) -> Path:
        """For the webhook: a user who may do nothing but what `allow` gives."""
        return self.folder / "webhook-kubeconfig"

    def allow(self, role: str, rules: list[dict[str, Any]], namespace: str = "") -> None:
        """Give the webhook's user these rights, in one namespace or everywhere."""
        kind = "Role" if namespace else "ClusterRole"
        path = f"/apis/{RBAC}" + (f"/namespaces/{namespace}" if namespace else "")
        head = {"apiVersion": RBAC, "metadata": {"name": role}}
        self.must("POST", f"{path}/{kind.lower()}s", {**head, "kind": kind, "rules": rules})
        who = [{"kind": "User", "name": WEBHOOK_USER, "apiGroup": "rbac.authorization.k8s.io"}]
        what = {"kind": kind, "name": role, "apiGroup": "rbac.authorization.k8s.io"}
        binding = {**head, "kind": f"{kind}Binding", "subjects": who, "roleRef": what}
        self.must("POST", f"{path}/{kind.lower()}bindings", binding)

    def start(self) -> None:
        """Start both and wait until the API server is ready and has made its own objects."""
        self.etcd.start(lambda: True)
        self.start_api()

    def start_api(self) -> None:
        """Start the API server alone, for example after it was killed."""
        self.api.start(self._answers, START_SECONDS)
        for path in ("/readyz", "/api/v1/namespaces/default", "/api/v1/namespaces/kube-system"):
            wait_until(functools.partial(self._answers, path), f"{path} of the API server", START_SECONDS)

    def stop(self) -> None:
        """End both at once."""
        for connection in self._connections:
            connection.close()
        self.api.kill()
        self.etcd.kill()

    def call(
        self, method: str, path: str, document: object = None, content_type: str = "application/json", token: str = ""
    ) -> Reply:
        """One call on this thread's connection, made anew where it was closed."""
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": content_type}
        body = None if document is None else json.dumps(document)
        try:
            response, text = self._exchange(method, path, body, headers)
        except CLOSED:
            response, text = self._exchange(method, path, body, headers)
        warnings = [value.split('"', 1)[1].rstrip('"') for value in response.headers.get_all("Warning", [])]
        try:
            parsed = json.loads(text)
        except ValueError:
            parsed = {"text": text.decode(errors="replace")}
        return Reply(response.status, parsed, warnings)

    def _exchange(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = self._connection()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response, response.read()
        except (OSError, http.client.HTTPException):
            self._local.connection = None  # half way through one call it is of no use to the next
            raise

    def must(self, method: str, path: str, document: object = None, **how: Any) -> dict[str, Any]:
        """The document of a call that succeeds."""
        reply = self.call(method, path, document, **how)
        assert reply.status < 300, f"{method} {path}: {reply.status} {reply.document.get('message')}"
        return reply.document

    def create_namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        """A namespace with the labels."""
        metadata = {"name": name, "labels": labels or {}}
        self.must("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def create_pod(self, namespace: str, pod: dict[str, Any], query: str = "") -> Reply:
        """What comes back for a pod that is created."""
        return self.call("POST", f"/api/v1/namespaces/{namespace}/pods{query}", pod)

    def apply(self, document: dict[str, Any], manager: str = "tests") -> dict[str, Any]:
        """Server-side apply of an object of admissionregistration, as Helm or GitOps does it."""
        kind = document["kind"].lower()
        plural = kind[:-1] + "ies" if kind.endswith("policy") else kind + "s"
        path = f"/apis/{document['apiVersion']}/{plural}/{document['metadata']['name']}?fieldManager={manager}"
        return self.must("PATCH", path, document, content_type="application/apply-patch+yaml")

    def _answers(self, path: str = "/readyz") -> bool:
        try:
            return self.call("GET", path).status == 200
        except OSError:
            self._local.connection = None
            return False

    def _connection(self) -> http.client.HTTPSConnection:
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            context = ssl.create_default_context(cafile=str(self.folder / "server.crt"))
            connection = _Connection(self._place, self.port, context)
            self._local.connection = connection
            self._connections.append(connection)
        return connection


def programs() -> tuple[Path, Path]:
    """The newest API server, and etcd. Raises CannotBuildError."""
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        return Path(assets) / "kube-apiserver", Path(assets) / "etcd"
    return servers.kube_apiserver(), servers.etcd()


@contextlib.contextmanager
def api_server(folder: Path, program: Path | None = None) -> Iterator[ApiServer]:
    """A running API server, of the newest version unless `program` is another, gone at the end."""
    kube_apiserver, etcd = programs()
    server = ApiServer(folder, program or kube_apiserver, etcd)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def cluster_dns(server: ApiServer, address: str = DNS_ADDRESS) -> None:
    """The Service of the cluster's DNS, as installers make it."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": address, "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]},
    }
    server.must("POST", "/api/v1/namespaces/kube-system/services", service)


def _flags(flags: dict[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in flags.items()]
