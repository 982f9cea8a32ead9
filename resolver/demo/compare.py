"""The same names looked up by two pods, with what the servers saw of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from resolver.demo.pod import LookUp, Settings, default_pod, look_up, opted_in_pod
from resolver.demo.server import Arrival, Server
from resolver.demo.wire import Address

CLUSTER_DNS = "CoreDNS"
OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Measured:
    """One look-up and the queries for its names that left the node, each with the server it reached."""

    look_up: LookUp
    arrivals: tuple[tuple[str, Arrival], ...]

    @property
    def answered_by(self) -> str:
        """Who got the question for the name that settled the look-up, as "CoreDNS, TCP"."""
        if self.look_up.failed:
            return "nobody"
        last = self.look_up.asked[-1].lower() + "."
        return next((f"{who}, {seen.transport}" for who, seen in self.arrivals if seen.name == last), "this node")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same name looked up by an opted-in pod and by a default pod."""

    opted_in: Measured
    default: Measured


async def compare(names: Sequence[str], resolver: Address, servers: Mapping[str, Server]) -> list[Comparison]:
    """Let both pods look up each name twice, in turn; the default pod asks the server called CLUSTER_DNS."""
    cluster_dns = servers[CLUSTER_DNS].address
    opted_in, default = opted_in_pod(resolver, cluster_dns), default_pod(cluster_dns, "shop")
    return [
        Comparison(await _measure(name, opted_in, servers), await _measure(name, default, servers))
        for name in names
        for _ in range(2)
    ]


async def _measure(name: str, pod: Settings, servers: Mapping[str, Server]) -> Measured:
    for server in servers.values():
        server.take_arrivals()
    done = await look_up(name, pod)
    asked = {name.lower() + "." for name in done.asked}
    seen = [(who, arrival) for who, server in servers.items() for arrival in server.take_arrivals()]
    # The resolver also asks on its own account (is the server up?): that belongs to nobody's look-up.
    return Measured(done, tuple((who, arrival) for who, arrival in seen if arrival.name in asked))
