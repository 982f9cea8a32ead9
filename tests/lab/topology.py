"""The lab's map: a node with two pods, a cluster network and the world outside, each in a namespace of its own.

    pod 10.244.0.10 ------- node (169.254.20.10 on lo) ----- cluster 10.96.0.10, .11 (cluster DNS)
    other pod 10.244.1.10 --/                          \\--- world   192.0.2.53, .63 (resolvers), .54 (authority)

The kernel may have no dummy device, so the local address sits on the node's loopback, and the pod gets a route to it.
Every namespace also has IPv6 addresses. Addresses are documentation and Kubernetes' usual ranges; nothing here can
leave the machine.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.lab.netns import Namespace, cable, namespaces

LOCAL = "169.254.20.10"
LOCAL_V6 = "fd00:a9fe:20::10"
CLUSTER_DNS = "10.96.0.10"
CLUSTER_DNS_UPSTREAM = "10.96.0.11"  # the same server, for a resolver that has taken the first address
WORLD_DNS = "192.0.2.53"
OTHER_WORLD_DNS = "192.0.2.63"
WORLD_AUTHORITY = "192.0.2.54"
NODE_IN_CLUSTER = "10.96.255.254"  # what the cluster sees as the address of the node, and so of the resolver
NODE_IN_WORLD = "192.0.2.1"
POD = "10.244.0.10"
OTHER_POD = "10.244.1.10"

OPTED_IN_RESOLV_CONF = f"""\
nameserver {LOCAL}
nameserver {CLUSTER_DNS}
search svc.cluster.local
options ndots:2 timeout:1 attempts:1
"""


@dataclass(frozen=True, slots=True)
class Lab:
    """The places; the pods' resolv.conf is that of an opted-in pod."""

    node: Namespace
    cluster: Namespace
    world: Namespace
    pod: Namespace
    other_pod: Namespace


@contextlib.contextmanager
def lab(*, assigned: bool = True) -> Iterator[Lab]:
    """Build the map, take it down at the end. Needs root. Not `assigned`: the local address is left to the resolver."""
    with namespaces("node", "cluster", "world", "pod", "pod2") as (node, cluster, world, pod, other_pod):
        for address in (f"{LOCAL}/32", f"{LOCAL_V6}/128") if assigned else ():
            node.ip("address", "add", address, "dev", "lo")
        node.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        cable(
            (node, "to-cluster", [f"{NODE_IN_CLUSTER}/16", "fd00:96::fffe/64"]),
            (cluster, "eth0", [f"{CLUSTER_DNS}/16", f"{CLUSTER_DNS_UPSTREAM}/16", "fd00:96::10/64"]),
        )
        cable(
            (node, "to-world", [f"{NODE_IN_WORLD}/24", "2001:db8:53::1/64"]),
            (
                world,
                "eth0",
                [f"{WORLD_DNS}/24", f"{OTHER_WORLD_DNS}/24", f"{WORLD_AUTHORITY}/24", "2001:db8:53::53/64"],
            ),
        )
        cable(
            (node, "to-pod", ["10.244.0.1/24", "fd00:244::1/64"]),
            (pod, "eth0", [f"{POD}/24", "fd00:244::10/64"]),
        )
        cable(
            (node, "to-other-pod", ["10.244.1.1/24", "fd00:244:1::1/64"]),
            (other_pod, "eth0", [f"{OTHER_POD}/24", "fd00:244:1::10/64"]),
        )
        for namespace, gateway, gateway_v6 in (
            (cluster, NODE_IN_CLUSTER, "fd00:96::fffe"),
            (world, NODE_IN_WORLD, "2001:db8:53::1"),
            (pod, "10.244.0.1", "fd00:244::1"),
            (other_pod, "10.244.1.1", "fd00:244:1::1"),
        ):
            namespace.ip("route", "add", "default", "via", gateway)
            namespace.ip("-6", "route", "add", "default", "via", gateway_v6)
        # 169.254.0.0/16 is often treated as one's own link; a pod reaches the node's local address by this route alone.
        for namespace, gateway in ((pod, "10.244.0.1"), (other_pod, "10.244.1.1")):
            namespace.ip("route", "add", f"{LOCAL}/32", "via", gateway)
            namespace.write_resolv_conf(OPTED_IN_RESOLV_CONF)
        node.write_resolv_conf(f"nameserver {WORLD_DNS}\n")
        yield Lab(node, cluster, world, pod, other_pod)
