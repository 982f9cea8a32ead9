"""A cluster on this machine: the API server, controllers and scheduler of Kubernetes, and a node that can run pods.

All of it lives in one network namespace, pods in others, and nothing leaves the machine. What kubelets and kube-proxy
do is done in steps (`turn`) by whoever waits for something, so that a test decides what happens between them.
"""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tests import servers
from tests.lab.apiserver import ApiServer, programs
from tests.lab.kubelet import Kubelet
from tests.lab.netns import ENVIRONMENT, Namespace, namespaces
from tests.lab.process import Process
from tests.lab.proxy import Proxy
from tests.lab.waiting import Value, wait_until
from tests.network import free_port

NODE_ADDRESS = "192.168.0.1"
HELM_SECONDS = 120.0
CONTROLLERS = [
    *("daemonset", "deployment", "replicaset", "job", "disruption", "endpointslice"),
    *("garbage-collector", "namespace", "serviceaccount", "root-ca-certificate-publisher"),
]
TAINTED = {"key": "dedicated", "value": "database", "effect": "NoSchedule"}
CONTROL_PLANE = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
FULL = {"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"}
NODES: dict[str, tuple[dict[str, str], list[dict[str, str]]]] = {
    "real": ({"topology.kubernetes.io/zone": "a"}, []),
    "other": ({"topology.kubernetes.io/zone": "b"}, []),
    "control-plane": ({"topology.kubernetes.io/zone": "b"}, [CONTROL_PLANE]),
    "database": ({"topology.kubernetes.io/zone": "b"}, [TAINTED]),
    "full": ({"topology.kubernetes.io/zone": "a"}, [FULL]),
    "windows": ({"kubernetes.io/os": "windows"}, []),
}
"""Labels and taints of each."""


class Cluster:
    """Started by `cluster`. Pods on the node `real` can run for real, see `Kubelet.runs`."""

    def __init__(self, folder: Path, node: Namespace, pods: list[Namespace]) -> None:
        self.folder, self.node = folder, node
        (folder / "api").mkdir()
        flags = {"disable-admission-plugins": "", "bind-address": "0.0.0.0", "advertise-address": NODE_ADDRESS}
        self.api = ApiServer(folder / "api", *programs(), flags, node)
        common = {
            "kubeconfig": self.api.kubeconfig,
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            "authorization-always-allow-paths": "/healthz",
        }
        self._controllers = self._beside(
            servers.kube_controller_manager(),
            {
                **common,
                "controllers": ",".join(f"{name}-controller" for name in CONTROLLERS),
                "service-account-private-key-file": self.api.folder / "sa.key",
                "root-ca-file": self.api.folder / "server.crt",
                "kube-api-qps": 500,
                "kube-api-burst": 1000,
            },
        )
        scheduler = {name: value for name, value in common.items() if name != "kubeconfig"}
        self._scheduler = self._beside(servers.kube_scheduler(), {**scheduler, "config": self._scheduler_config()})
        self.kubelet = Kubelet(self.api, node, NODE_ADDRESS, pods, folder / "pods")
        self._proxy = Proxy(self.api, node)
        self._helm = servers.helm()

    def start(self) -> None:
        """Start everything; returns when there are nodes and service accounts."""
        self.api.start()
        for process in (self._controllers, self._scheduler):
            process.start(lambda: True)
        for name, (labels, taints) in NODES.items():
            self._make_node(name, labels, taints)
        self._make_endpoint_of_the_api_server()
        self.until(lambda: self.api.call("GET", "/api/v1/namespaces/default/serviceaccounts/default").status == 200,
                   "the controllers to make service accounts", 60.0)  # fmt: skip

    def stop(self) -> None:
        """End everything at once."""
        self.kubelet.close()
        for process in (self._scheduler, self._controllers):
            process.kill()
        self.api.stop()

    def turn(self) -> None:
        """One step of the kubelets and of the Services' addresses."""
        self.kubelet.turn()
        self._proxy.update()

    def until(self, condition: Callable[[], Value | None], what: str, patience_seconds: float = 120.0) -> Value:
        """Go on, step by step, until the condition holds, and return what it returned."""

        def step() -> Value | None:
            self.turn()
            return condition()

        return wait_until(step, what, patience_seconds)

    def helm(self, *words: str, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        """Run helm to its end while the cluster goes on; the caller judges the exit status."""
        command = [str(self._helm), *words]
        if values is not None:
            path = self.folder / "values.yaml"
            path.write_text(yaml.safe_dump(values))
            command += ["--values", str(path)]
        homes = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        environment = {name: str(self.folder / "helm" / name) for name in homes}
        environment |= ENVIRONMENT | {"KUBECONFIG": str(self.api.kubeconfig)}
        with (self.folder / "helm.log").open("w+") as output, (self.folder / "helm.err").open("w+") as errors:
            child = subprocess.Popen(
                self.node.command(*command), stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=environment
            )
            try:
                self.until(lambda: child.poll() is not None, f"helm {words[0]}", HELM_SECONDS)
            finally:
                child.kill()
                child.wait()
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(command, child.returncode, output.read(), errors.read())

    def pods(self, namespace: str, **labels: str) -> list[dict[str, Any]]:
        """Pods whose labels app.kubernetes.io/NAME are these."""
        selector = ",".join(f"app.kubernetes.io/{name}={value}" for name, value in labels.items())
        path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}"
        items: list[dict[str, Any]] = self.api.must("GET", path)["items"]
        return items

    def _beside(self, program: Path, flags: dict[str, object]) -> Process:
        words = [f"--{name}={value}" for name, value in {**flags, "secure-port": free_port()}.items()]
        return Process(self.node, [str(program), *words], self.folder / f"{program.name}.log")

    def _scheduler_config(self) -> Path:
        path = self.folder / "scheduler.yaml"
        connection = {"kubeconfig": str(self.api.kubeconfig), "qps": 500, "burst": 1000}
        kind = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
        path.write_text(
            yaml.safe_dump({**kind, "leaderElection": {"leaderElect": False}, "clientConnection": connection})
        )
        return path

    def _make_node(self, name: str, labels: dict[str, str], taints: list[dict[str, str]]) -> None:
        usual = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name}
        metadata = {"name": name, "labels": {**usual, **labels}}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"taints": taints}}
        self.api.must("POST", "/api/v1/nodes", node)
        size = {"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"}
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        address = {"type": "InternalIP", "address": NODE_ADDRESS}
        status = {"capacity": size, "allocatable": size, "conditions": [ready], "addresses": [address]}
        path = f"/api/v1/nodes/{name}"
        self.api.must("PATCH", f"{path}/status", {"status": status}, content_type="application/merge-patch+json")
        without = {"spec": {"taints": taints}}  # the API server itself taints new nodes as not ready
        self.api.must("PATCH", path, without, content_type="application/merge-patch+json")

    def _make_endpoint_of_the_api_server(self) -> None:
        """Pods reach it at its Service, as everywhere."""
        labels = {"kubernetes.io/service-name": "kubernetes"}
        document = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "kubernetes", "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
            "ports": [{"name": "https", "port": self.api.port, "protocol": "TCP"}],
        }
        self.api.must("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", document)


@contextlib.contextmanager
def cluster(folder: Path, pods: int = 6) -> Iterator[Cluster]:
    """A running cluster with room for so many real pods in networks of their own, gone at the end. Needs root."""
    with namespaces("cluster", *(f"pod{number}" for number in range(pods))) as (node, *places):
        node.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        node.ip("address", "add", f"{NODE_ADDRESS}/32", "dev", "lo")
        node.ip("route", "add", "10.96.0.0/16", "dev", "lo", "src", NODE_ADDRESS)
        node.write_resolv_conf(f"nameserver {NODE_ADDRESS}\n")
        made = Cluster(folder, node, list(places))
        try:
            made.start()
            yield made
        finally:
            made.stop()
