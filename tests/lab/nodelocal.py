"""NodeLocal DNSCache on the lab's node: its CoreDNS, and by hand what its command does to a node.

The device with the local addresses comes first, then CoreDNS, then the rules; at the end the rules go, then the device,
then CoreDNS. The rules are those of iptables in its form for nftables (tables `ip raw` and `ip filter`). Kernels
without dummy devices get one of the kind ifb, which behaves the same: no ARP, always up.
"""

from collections.abc import Sequence
from pathlib import Path

from tests.lab.netns import Namespace, run
from tests.lab.servers import Server
from tests.servers.build import build

MODULE = Path(__file__).parents[1] / "servers" / "nodelocaldnscache"
DEVICE = "nodelocaldns"
HEALTH_PORT = 8080

COREFILE = """\
cluster.local:53 {{
    errors
    cache {{
        success 9984 30
        denial 9984 5
    }}
    reload
    loop
    bind {bind}
    forward . {cluster} {{
        force_tcp
    }}
    prometheus :9253
    health {first}:8080
}}
in-addr.arpa:53 {{
    errors
    cache 30
    reload
    loop
    bind {bind}
    forward . {cluster} {{
        force_tcp
    }}
    prometheus :9253
}}
ip6.arpa:53 {{
    errors
    cache 30
    reload
    loop
    bind {bind}
    forward . {cluster} {{
        force_tcp
    }}
    prometheus :9253
}}
.:53 {{
    errors
    cache 30
    reload
    loop
    bind {bind}
    forward . {world}
    prometheus :9253
}}
"""
"""That of its manifest."""


class NodeLocalDNSCache(Server):
    """As its DaemonSet runs it on one node, answering on `addresses`. It has no log of queries."""

    def __init__(
        self, node: Namespace, folder: Path, addresses: Sequence[str], cluster: str, world: str, also: str = ""
    ) -> None:
        """`also`: further blocks of its Corefile."""
        self.corefile = folder / "Corefile.nodelocal"
        text = COREFILE.format(bind=" ".join(addresses), first=addresses[0], cluster=cluster, world=world)
        self.corefile.write_text(text + also)
        self._addresses = addresses
        command = [str(build(MODULE)), "-conf", str(self.corefile)]
        super().__init__(node, addresses[0], command, folder / "nodelocal.log")

    def start(self) -> None:
        """Device, CoreDNS, rules."""
        if self.namespace.run("ip", "link", "add", DEVICE, "type", "dummy").returncode:
            self.namespace.ip("link", "add", DEVICE, "type", "ifb")
        self.namespace.ip("link", "set", DEVICE, "up")
        for address in self._addresses:
            self.namespace.ip("address", "add", f"{address}/32", "dev", DEVICE)
        super().start()
        self._nft(RULES + "".join(_rules(address) for address in self._addresses))

    def stop(self) -> None:
        """Rules, device, CoreDNS: as its command reacts to SIGTERM."""
        self._nft("delete table ip raw\ndelete table ip filter\n")
        self.namespace.ip("link", "delete", DEVICE)
        super().stop()

    def _nft(self, text: str) -> None:
        run("ip", "netns", "exec", self.namespace.name, "nft", "-f", "-", standard_input=text)


RULES = """\
table ip raw {
    chain PREROUTING { type filter hook prerouting priority raw; }
    chain OUTPUT { type filter hook output priority raw; }
}
table ip filter {
    chain INPUT { type filter hook input priority filter; }
    chain OUTPUT { type filter hook output priority filter; }
}
"""


def _rules(address: str) -> str:
    lines = []
    for protocol in ("tcp", "udp"):
        asked, said = f"ip daddr {address} {protocol} dport 53", f"ip saddr {address} {protocol} sport 53"
        lines += [
            f"raw PREROUTING {asked} notrack",
            f"raw OUTPUT {said} notrack",
            f"raw OUTPUT {asked} notrack",
            f"filter INPUT {asked} accept",
            f"filter OUTPUT {said} accept",
        ]
    for way, port in (("daddr", "dport"), ("saddr", "sport")):
        lines.append(f"raw OUTPUT ip {way} {address} tcp {port} {HEALTH_PORT} notrack")
    return "".join(f"add rule ip {line}\n" for line in lines)
