"""CoreDNS as pods of a Service: processes with addresses of their own, EndpointSlices at a real API server, and a
virtual address as kube-proxy makes it.

What the controller of EndpointSlices and kube-proxy do is done here, at once, in one step (`DnsPods.publish`): where
they would take longer, what is asked in the meantime fares worse than here.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.lab.apiserver import ApiServer, programs
from tests.lab.netns import Namespace, run
from tests.lab.servers import ZONES, Server
from tests.lab.topology import Lab
from tests.lab.waiting import wait_until
from tests.servers import coredns

VIRTUAL = "10.97.0.10"
SERVICE = "kube-system/kube-dns"
COLLECTION = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
_SLICE = "kube-dns-1"
_FILE_ZONE = f"file {ZONES}/cluster.local.zone cluster.local"


class DnsPod(Server):
    """One CoreDNS; `lame_seconds` is how long it goes on answering after SIGTERM, 5 in kubeadm's Corefile."""

    def __init__(
        self, namespace: Namespace, address: str, folder: Path, lame_seconds: float, *, zone: str = _FILE_ZONE,
        program: Path | None = None,
    ) -> None:  # fmt: skip
        corefile = folder / f"Corefile-{address}"
        health = f"health {address}:8080 {{\n lameduck {lame_seconds}s\n}}" if lame_seconds else ""
        marker = "template ANY ANY marker.invalid. {\n rcode NXDOMAIN\n}"
        corefile.write_text(f".:53 {{\nbind {address}\nerrors\n{health}\n{marker}\n{zone}\n}}\n")
        command = [str(program or coredns()), "-conf", str(corefile)]
        super().__init__(namespace, address, command, folder / f"coredns-{address}.log")

    def start(self) -> None:
        """With its address, as a pod has it."""
        self.namespace.run("ip", "address", "add", f"{self.address}/16", "dev", "eth0")
        super().start()

    def goes_dark(self) -> None:
        """Nobody has its address any more; what is sent to it vanishes, and it cannot say that it ends."""
        self.namespace.run("ip", "address", "del", f"{self.address}/16", "dev", "eth0")

    def gone(self) -> None:
        """Its process has ended, and nobody has its address any more."""
        self.kill()
        self.namespace.run("ip", "address", "del", f"{self.address}/16", "dev", "eth0")


class DnsPods:
    """All of them, and what the cluster says of them."""

    def __init__(self, lab: Lab, api: ApiServer, folder: Path) -> None:
        self.lab, self.api, self.folder = lab, api, folder
        self._count = 0
        self._known = False

    def pod(self, lame_seconds: float = 0, **how: Any) -> DnsPod:
        """A new one, with the next address."""
        self._count += 1
        return DnsPod(self.lab.cluster, f"10.96.1.{self._count}", self.folder, lame_seconds, **how)

    def publish(self, ready: list[DnsPod], leaving: list[DnsPod] = [], silent: list[DnsPod] = []) -> None:  # noqa: B006
        """What EndpointSlices and the virtual address say from now on. `silent`: neither ready nor answering."""
        endpoints = [_endpoint(each, ready=True) for each in ready]
        endpoints += [_endpoint(each, ready=False, serving=True, terminating=True) for each in leaving]
        endpoints += [_endpoint(each, ready=False, serving=False, terminating=True) for each in silent]
        document = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": _SLICE, "labels": {"kubernetes.io/service-name": "kube-dns"}},
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
                {"name": "metrics", "port": 9153, "protocol": "TCP"},
            ],
        }
        if self._known:
            self.api.must("PUT", f"{COLLECTION}/{_SLICE}", document)
        else:
            self.api.must("POST", COLLECTION, document)
        self._known = True
        self._virtual(ready or leaving)

    def upstreams(self) -> list[dict[str, str]]:
        """For resolver.yaml."""
        return [{"service": SERVICE, "address": VIRTUAL}]

    def settings(self, token: str = "") -> dict[str, str]:
        """The key `kubernetes` of resolver.yaml, with a token, an administrator's if none is given."""
        file = self.folder / "token"
        file.write_text(f"{token or self.api.token}\n")
        server = f"https://127.0.0.1:{self.api.port}"
        return {"server": server, "tokenFile": str(file), "caFile": str(self.api.folder / "server.crt"), "node": "real"}

    def _virtual(self, pods: list[DnsPod]) -> None:
        """As kube-proxy in nftables mode does it, for the node's own questions: a choice per connection, and conntrack.

        Entries of UDP that lead to who is gone are dropped, as kube-proxy does.
        """
        rules = "".join(f"{number}: {pod.address}, " for number, pod in enumerate(pods))
        chain = "".join(
            f"ip daddr {VIRTUAL} {protocol} dport 53 dnat to numgen random mod {len(pods)} map {{ {rules} }}\n"
            for protocol in ("tcp", "udp")
        )
        text = f"""\
table ip services {{}}
delete table ip services
table ip services {{
    chain out {{
        type nat hook output priority -100;
        {chain if pods else ""}
    }}
}}
"""
        run("ip", "netns", "exec", self.lab.node.name, "nft", "-f", "-", standard_input=text)
        self.lab.node.run("conntrack", "-D", "-p", "udp", "-d", VIRTUAL)


@contextlib.contextmanager
def dns_pods(lab: Lab, folder: Path) -> Iterator[DnsPods]:
    """An API server on the node's loopback, and no pods yet."""
    (folder / "api").mkdir()
    api = ApiServer(folder / "api", *programs(), {}, lab.node)
    # What answers at the virtual address comes from elsewhere, and leaves by the way to the cluster.
    lab.node.ip("route", "add", f"{VIRTUAL}/32", "dev", "to-cluster")
    try:
        api.start()
        yield DnsPods(lab, api, folder)
    finally:
        api.stop()


def replace_all(pods: DnsPods, old: list[DnsPod], new: list[DnsPod], lame_seconds: float) -> None:
    """A rolling update, one at a time: a new one is ready, an old one leaves, answers on, ends, and is gone."""
    running, waiting = list(old), list(new)
    while waiting:
        coming, leaving = waiting.pop(0), running.pop(0)
        coming.start()
        running.append(coming)
        pods.publish(running, [leaving])
        leaving.process.terminate()
        wait_until(lambda: not leaving.process.running, "the end of a CoreDNS", 10 + lame_seconds)  # noqa: B023
        leaving.gone()
        pods.publish(running)


def _endpoint(pod: DnsPod, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [pod.address], "conditions": conditions}
