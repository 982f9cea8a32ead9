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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests import servers
from tests.lab.apikeys import write_keys
from tests.lab.loopback import free_port
from tests.lab.process import Process
from tests.lab.waiting import wait_until

DNS_ADDRESS = "10.96.0.10"
SERVICE_RANGE = "10.96.0.0/16"
START_SECONDS = 120.0
RBAC = "rbac.authorization.k8s.io/v1"
WEBHOOK_USER = "nodelocaldns-webhook"


class OnThisMachine:
    """Stands in for a namespace where none is needed."""

    name = "host"

    def command(self, *command: str) -> list[str]:
        return ["setpriv", "--pdeathsig", "KILL", "--", *command]


@dataclass
class Reply:
    """What the API server said."""

    status: int
    document: dict[str, Any]
    warnings: list[str]


class ApiServer:
    """etcd and kube-apiserver with their files in `folder`."""

    def __init__(self, folder: Path, kube_apiserver: Path, etcd: Path, extra: Sequence[str] = ()) -> None:
        self.folder = folder
        self.port, etcd_port, peer_port = free_port(), free_port(), free_port()
        self._etcd_url = f"http://127.0.0.1:{etcd_port}"
        self._local = threading.local()
        self._connections: list[http.client.HTTPSConnection] = []
        self.token, self.webhook_token = secrets.token_hex(16), secrets.token_hex(16)
        here: Any = OnThisMachine()
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
        self.etcd = Process(here, [str(etcd), *_flags(etcd_flags)], folder / "etcd.log")
        self._write_files()
        flags = _flags(self._api_flags())
        self.api = Process(here, [str(kube_apiserver), *flags, *extra], folder / "apiserver.log")

    def _api_flags(self) -> dict[str, object]:
        return {
            "etcd-servers": self._etcd_url,
            "cert-dir": self.folder,
            "bind-address": "127.0.0.1",
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
        self.api.start(self._answers)
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
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self._local.connection = None
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
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response, response.read()

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
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    def _write_files(self) -> None:
        write_keys(self.folder)
        (self.folder / "tokens.csv").write_text(
            f'{self.token},admin,1,"system:masters"\n{self.webhook_token},{WEBHOOK_USER},2\n'
        )
        (self.folder / "audit.yaml").write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "audit.k8s.io/v1",
                    "kind": "Policy",
                    "omitStages": ["RequestReceived"],
                    "rules": [
                        {"level": "Metadata", "resources": [{"group": "", "resources": ["pods"]}]},
                        {"level": "None"},
                    ],
                }
            )
        )
        self._write_kubeconfig(self.kubeconfig, self.token)
        self._write_kubeconfig(self.webhook_kubeconfig, self.webhook_token)

    def _write_kubeconfig(self, path: Path, token: str) -> None:
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "tests",
                    "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "admin"}}],
                    "clusters": [
                        {
                            "name": "tests",
                            "cluster": {
                                "server": f"https://127.0.0.1:{self.port}",
                                "certificate-authority": str(self.folder / "server.crt"),
                            },
                        }
                    ],
                    "users": [{"name": "admin", "user": {"token": token}}],
                }
            )
        )


@contextlib.contextmanager
def api_server(folder: Path, name: str = "kubeapiserver", extra: Sequence[str] = ()) -> Iterator[ApiServer]:
    """A running API server of the pinned version `name`, gone at the end."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and name == "kubeapiserver":
        programs = Path(assets) / "kube-apiserver", Path(assets) / "etcd"
    else:
        programs = servers.kube_apiserver(name), servers.etcd()
    server = ApiServer(folder, *programs, extra)
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
