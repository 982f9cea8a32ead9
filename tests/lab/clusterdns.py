"""The DNS of a lab cluster: the real CoreDNS behind the Service and the pod that installers make."""

import contextlib
from collections.abc import Iterator

from tests.lab.apiserver import DNS_ADDRESS
from tests.lab.cluster import Cluster
from tests.lab.netns import cable, namespaces
from tests.lab.servers import CoreDNS
from tests.servers import coredns

NOWHERE = "127.0.0.1:9"  # refuses


@contextlib.contextmanager
def cluster_dns(cluster: Cluster) -> Iterator[CoreDNS]:
    """Answers for the zones in tests/lab/zones at 10.96.0.10, and as the node's own nameserver."""
    labels = {"k8s-app": "kube-dns"}
    protocols = {"dns": "UDP", "dns-tcp": "TCP"}
    ports = [{"name": name, "port": 53, "protocol": protocol} for name, protocol in protocols.items()]
    for kind, plural, name, spec in (
        ("Service", "services", "kube-dns", {"clusterIP": DNS_ADDRESS, "selector": labels, "ports": ports}),
        ("Pod", "pods", "coredns", {"nodeName": "real", "containers": [{"name": "coredns", "image": "coredns"}]}),
    ):
        document = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": spec}
        cluster.until(
            lambda: cluster.api.call("GET", "/api/v1/namespaces/kube-system/serviceaccounts/default").status == 200,
            "the service account of kube-system",
        )
        cluster.api.must("POST", f"/api/v1/namespaces/kube-system/{plural}", document)
    path = "/api/v1/namespaces/kube-system/pods/coredns"
    address = cluster.until(lambda: cluster.api.must("GET", path)["status"].get("podIP"), "the pod of CoreDNS")
    gateway = address.rpartition(".")[0] + ".1"
    with namespaces("dns") as (place,):
        cable((cluster.node, "dns", [f"{gateway}/24"]), (place, "eth0", [f"{address}/24"]))
        place.ip("route", "add", "default", "via", gateway)
        cluster.node.write_resolv_conf(f"nameserver {address}\n")
        server = CoreDNS(place, address, cluster.folder, coredns(), NOWHERE)
        try:
            server.start()
            yield server
        finally:
            server.kill()
