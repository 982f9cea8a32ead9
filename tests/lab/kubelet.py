"""What kubelets do for pods that are bound to nodes, one step at a time, whenever the test says so.

Pods that the test wants to be real (`runs`) run in containers, are probed, and get an address of their own on the one
machine of the lab; all others are only said to run. `holds` keeps pods as a slow image would: bound, and not ready.
"""

import http.client
import itertools
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.lab.apiserver import DNS_ADDRESS, ApiServer
from tests.lab.container import Container
from tests.lab.netns import Namespace, cable
from tests.lab.volumes import Volumes

Pod = dict[str, Any]
Choice = Callable[[Pod], bool]


class Running:
    """A pod of which this machine runs the one container."""

    def __init__(self, pod: Pod, address: str, container: Container, volumes: Volumes) -> None:
        self.pod, self.address, self.container, self.volumes = pod, address, container, volumes
        self.is_ending = False
        self._has_started = False
        self._is_ready = False
        self._misses = 0
        self._looked = 0.0

    def ready(self) -> bool:
        """Whether it may be sent traffic: it has started, and stays ready until its probe fails as often as it says.

        What is not ready yet is probed at every step, what is, as often as the probe says.
        """
        if self.container.ended() is not None:
            return False
        probe = self.container.spec.get("readinessProbe", {})
        if self._is_ready and time.monotonic() < self._looked + probe.get("periodSeconds", 10):
            return True
        self._has_started = self._has_started or self._passes(self.container.spec.get("startupProbe", {}))
        passed = self._has_started and self._passes(probe)
        self._looked = time.monotonic()
        self._misses = 0 if passed else self._misses + 1
        self._is_ready = passed or (self._is_ready and self._misses < probe.get("failureThreshold", 3))
        return self._is_ready

    def _passes(self, probe: dict[str, Any]) -> bool:
        if command := probe.get("exec", {}).get("command"):
            return self.container.execute(command) == 0
        page = probe.get("httpGet")
        return page is None or self.get(page["port"], page["path"])[0] == 200

    def end(self) -> bool:
        """Have it end in its own time; whether it has."""
        if not self.is_ending:
            self.container.signal(signal.SIGTERM)
            self.is_ending = True
        return self.container.ended() is not None

    def get(self, port: int | str, path: str) -> tuple[int, str]:
        """Status and text of a page; status 0 where nobody answers."""
        number = port if isinstance(port, int) else _named_port(self.container.spec, port)
        connection = http.client.HTTPConnection(self.address, number, timeout=5)
        try:
            with self.container.namespace.entered():
                connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()


class Kubelet:
    """All nodes' kubelets. Pods in the node's network are at `address`; others get `pod_namespaces` one by one."""

    def __init__(
        self, api: ApiServer, node: Namespace, address: str, pod_namespaces: list[Namespace], folder: Path
    ) -> None:
        self.running: dict[str, Running] = {}
        self.runs: Choice = lambda pod: False
        self.holds: Choice = lambda pod: False
        self._api, self._node, self._address, self._folder = api, node, address, folder
        self._free = list(pod_namespaces)
        self._imagined = itertools.count(2)
        self._cabled: dict[str, str] = {}

    def turn(self) -> None:
        """Look at every pod once and do the next thing for it."""
        pods = self._api.must("GET", "/api/v1/pods")["items"]
        for pod in pods:
            if pod["spec"].get("nodeName"):
                self._look(pod)
        for gone in self.running.keys() - {pod["metadata"]["uid"] for pod in pods}:
            self._forget(gone)

    def close(self) -> None:
        """End all containers."""
        for running in self.running.values():
            running.container.kill()

    def _look(self, pod: Pod) -> None:
        uid = pod["metadata"]["uid"]
        if "deletionTimestamp" in pod["metadata"]:
            if uid in self.running and not self.running[uid].end():
                return
            self._forget(uid)
            metadata = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
            self._api.call("DELETE", _path(pod), {"apiVersion": "v1", "kind": "DeleteOptions", **metadata})
        elif self.holds(pod) or pod["status"].get("phase") in ("Succeeded", "Failed"):
            return
        elif self.runs(pod):
            if uid not in self.running:
                self._start(pod)
            self._tell(pod, self.running[uid])
        elif pod["status"].get("phase") != "Running":
            address = self._address if pod["spec"].get("hostNetwork") else f"10.245.0.{next(self._imagined)}"
            self._write(pod, "Running", address, ready=True)

    def _start(self, pod: Pod) -> None:
        uid, on_node = pod["metadata"]["uid"], pod["spec"].get("hostNetwork", False)
        namespace = self._node if on_node else self._free.pop()
        address = self._address if on_node else self._cable(namespace)
        pod = {**pod, "status": {**pod["status"], "podIP": address, "hostIP": self._address}}
        (spec,) = pod["spec"]["containers"]
        folder = self._folder / f"{pod['metadata']['name']}-{uid[:8]}"
        volumes = Volumes(self._api, pod, folder / "volumes", self._folder / "host")
        container = Container(pod, spec, namespace, folder / "bundle", volumes.environment(spec))
        container.mounts = volumes.mounts(spec, self._resolv_conf(pod))
        self.running[uid] = Running(pod, address, container, volumes)
        container.start()

    def _forget(self, uid: str) -> None:
        if running := self.running.pop(uid, None):
            running.container.kill()
            if running.container.namespace is not self._node:
                self._free.append(running.container.namespace)

    def _tell(self, pod: Pod, running: Running) -> None:
        status = running.container.ended()
        if status is None:
            self._write(pod, "Running", running.address, ready=running.ready())
        else:
            never = pod["spec"].get("restartPolicy") == "Never"
            assert never, f"{pod['metadata']['name']} ended with {status}:\n{running.container.output()[-3000:]}"
            self._write(pod, "Failed" if status else "Succeeded", running.address, ready=False, ended=status)

    def _write(self, pod: Pod, phase: str, address: str, *, ready: bool, ended: int | None = None) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        wanted = {"Initialized": True, "Ready": ready, "ContainersReady": ready, "PodScheduled": True}
        before = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
        after = {kind: str(value) for kind, value in wanted.items()}
        if pod["status"].get("phase") == phase and after.items() <= before.items():
            return
        name = pod["spec"]["containers"][0]["name"]
        state: dict[str, Any] = {"running": {"startedAt": now}}
        if ended is not None:
            state = {"terminated": {"exitCode": ended, "finishedAt": now}}
        container = {"name": name, "ready": ready, "restartCount": 0, "state": state, "image": "-", "imageID": "-"}
        document = {
            "phase": phase,
            "hostIP": self._address,
            "hostIPs": [{"ip": self._address}],
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": k, "status": v, "lastTransitionTime": now} for k, v in after.items()],
            "containerStatuses": [container],
        }
        self._api.call(
            "PATCH", f"{_path(pod)}/status", {"status": document}, content_type="application/merge-patch+json"
        )

    def _cable(self, namespace: Namespace) -> str:
        if namespace.name not in self._cabled:
            number = len(self._cabled) + 1
            address, gateway = f"10.244.{number}.10", f"10.244.{number}.1"
            cable((self._node, f"pod{number}", [f"{gateway}/24"]), (namespace, "eth0", [f"{address}/24"]))
            namespace.ip("route", "add", "default", "via", gateway)
            self._cabled[namespace.name] = address
        return self._cabled[namespace.name]

    def _resolv_conf(self, pod: Pod) -> str:
        policy = pod["spec"].get("dnsPolicy", "ClusterFirst")
        if policy == "Default" or (policy == "ClusterFirst" and pod["spec"].get("hostNetwork")):
            return self._node.resolv_conf()
        namespace = pod["metadata"]["namespace"]
        config: dict[str, Any] = {
            "nameservers": [DNS_ADDRESS],
            "searches": [f"{namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local"],
            "options": [{"name": "ndots", "value": "5"}],
        }
        if policy == "None":
            config = pod["spec"]["dnsConfig"]
        options = " ".join(f"{each['name']}:{each['value']}" for each in config.get("options", []))
        lines = [f"nameserver {address}" for address in config["nameservers"]]
        return "\n".join([*lines, f"search {' '.join(config.get('searches', []))}", f"options {options}", ""])


def _path(pod: Pod) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _named_port(container: dict[str, Any], name: str) -> int:
    return int(next(port["containerPort"] for port in container["ports"] if port["name"] == name))
